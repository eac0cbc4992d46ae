unit_test(test_crc LIBRARIES codec ZLIB::ZLIB)
unit_test(test_detect LIBRARIES codec)
unit_test(test_snappy_xerial SOURCES unit/codec_rig.c LIBRARIES codec ${SNAPPY_LIBRARY})
unit_test(test_snappy_framed SOURCES unit/codec_rig.c LIBRARIES codec ${SNAPPY_LIBRARY})
