unit_test(test_transfer
    SOURCES unit/transfer_rig.c unit/codec_rig.c
    LIBRARIES transfer ${SNAPPY_LIBRARY}
    WRAP source_get source_cancel source_stats file_sink_open file_sink_write file_sink_abandon
         commit_start commit_file commit_failed commit_stop commit_done_before budget_free)
unit_test(test_budget LIBRARIES transfer)
unit_test(test_queue LIBRARIES transfer)
unit_test(test_schedule LIBRARIES transfer)
unit_test(test_transfer_limits LIBRARIES transfer)
unit_test(test_check LIBRARIES transfer)
unit_test(test_object
    SOURCES unit/codec_rig.c
    LIBRARIES transfer ${SNAPPY_LIBRARY}
    WRAP source_get file_sink_open file_sink_write file_sink_abandon commit_file commit_failed)
unit_test(test_progress LIBRARIES transfer WRAP log_status isatty)
