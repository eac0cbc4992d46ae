unit_test(test_uri LIBRARIES s3)
unit_test(test_sigv4 SOURCES unit/sign_case.c LIBRARIES s3)
unit_test(test_creds LIBRARIES s3)
unit_test(test_creds_process LIBRARIES s3)
unit_test(test_creds_http LIBRARIES s3 SOURCES unit/scripted_server.c)
unit_test(test_creds_container LIBRARIES s3 SOURCES unit/scripted_server.c)
unit_test(test_creds_file LIBRARIES s3)
unit_test(test_creds_imds LIBRARIES s3)

# Asked by tests/e2e/test_signing.py.
add_executable(sign_lines unit/sign_lines.c unit/sign_case.c)
target_link_libraries(sign_lines PRIVATE s3)
