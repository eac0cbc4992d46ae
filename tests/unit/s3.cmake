unit_test(test_s3_client LIBRARIES s3 SOURCES unit/scripted_server.c)
unit_test(test_s3_list LIBRARIES s3 SOURCES unit/scripted_server.c)
