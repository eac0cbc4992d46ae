unit_test(test_crc LIBRARIES codec ZLIB::ZLIB)
unit_test(test_detect LIBRARIES codec)
unit_test(test_snappy_xerial SOURCES unit/codec_rig.c LIBRARIES codec ${SNAPPY_LIBRARY})
unit_test(test_snappy_framed SOURCES unit/codec_rig.c LIBRARIES codec ${SNAPPY_LIBRARY})
unit_test(test_manifest SOURCES unit/codec_rig.c LIBRARIES plan ${SNAPPY_LIBRARY})
# The command without the libraries around it: the test is its signal handler and its disk.
unit_test(test_decode
    SOURCES unit/codec_rig.c ${CMAKE_CURRENT_LIST_DIR}/../../agent/decode.c
            ${CMAKE_CURRENT_LIST_DIR}/../../agent/decode_output.c
    LIBRARIES codec ${SNAPPY_LIBRARY}
    WRAP read write fsync renameat)
