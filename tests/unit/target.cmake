# The calls that faulty_disk.c stands in for; glibc's names of them with 64-bit offsets.
set(FAULTY_DISK_CALLS openat64 pwrite64 write fsync fdatasync syncfs sync_file_range ftruncate64
    fallocate64 renameat renameat2 linkat mkdirat unlinkat fstatfs64)

unit_test(test_journal LIBRARIES transfer WRAP write)
unit_test(test_safe_path LIBRARIES transfer WRAP syscall)
unit_test(test_cassandra_yaml LIBRARIES transfer)
unit_test(test_running LIBRARIES transfer)
unit_test(test_target LIBRARIES transfer SOURCES unit/target_rig.c)
unit_test(test_history LIBRARIES transfer SOURCES unit/target_rig.c)
unit_test(test_placement LIBRARIES transfer SOURCES unit/target_rig.c WRAP stat64 statvfs64)
unit_test(test_commit LIBRARIES transfer SOURCES unit/target_rig.c unit/faulty_disk.c
    WRAP ${FAULTY_DISK_CALLS})
unit_test(test_adding LIBRARIES transfer
    SOURCES unit/target_rig.c unit/faulty_disk.c unit/no_cassandra.c
    WRAP ${FAULTY_DISK_CALLS} running_check)
unit_test(test_crash LIBRARIES transfer
    SOURCES unit/target_rig.c unit/faulty_disk.c unit/no_cassandra.c
    WRAP ${FAULTY_DISK_CALLS} running_check)
unit_test(test_power_cut LIBRARIES transfer
    SOURCES unit/target_rig.c unit/faulty_disk.c unit/power_cut.c unit/no_cassandra.c
    WRAP ${FAULTY_DISK_CALLS} running_check)
