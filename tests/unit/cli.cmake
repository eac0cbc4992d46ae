unit_test(test_suggest LIBRARIES cli)
unit_test(test_options LIBRARIES cli)
unit_test(test_json_write LIBRARIES cli)
unit_test(test_java_properties LIBRARIES cli)
unit_test(test_config SOURCES unit/config_rig.c LIBRARIES cli)
unit_test(test_priam_properties SOURCES unit/config_rig.c LIBRARIES cli)
unit_test(test_policy LIBRARIES cli)

find_program(PYTHON3 python3)
if(PYTHON3)
    add_test(NAME check_man COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/check_man.py
        $<TARGET_FILE:penates> ${CMAKE_SOURCE_DIR}/deploy/penates.1)
endif()
