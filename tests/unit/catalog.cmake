unit_test(test_backup_key LIBRARIES plan)
unit_test(test_sstable_name LIBRARIES plan)
unit_test(test_selection LIBRARIES plan)
unit_test(test_fan_out LIBRARIES plan)
unit_test(test_dir_tree LIBRARIES plan)
unit_test(test_source_dir LIBRARIES plan)
unit_test(test_source LIBRARIES plan
          WRAP s3_client_new s3_client_free s3_client_cancel s3_client_stats s3_list s3_submit
          creds_new creds_free creds_region)
unit_test(test_catalog LIBRARIES plan)
unit_test(test_source_watch SOURCES unit/memory_source.c LIBRARIES plan)
