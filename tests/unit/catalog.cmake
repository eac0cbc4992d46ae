unit_test(test_backup_key LIBRARIES plan)
unit_test(test_sstable_name LIBRARIES plan)
unit_test(test_selection LIBRARIES plan)
