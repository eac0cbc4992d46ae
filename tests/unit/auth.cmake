unit_test(test_uri LIBRARIES s3)
unit_test(test_sigv4 LIBRARIES s3)
