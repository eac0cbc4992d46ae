unit_test(test_parse LIBRARIES base)
unit_test(test_err LIBRARIES base)
unit_test(test_mem LIBRARIES base)
unit_test(test_words LIBRARIES base)
