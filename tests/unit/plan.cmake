unit_test(test_plan_fixtures LIBRARIES plan)
set(PLAN_RIG SOURCES unit/backup_world.c unit/memory_source.c LIBRARIES plan)
unit_test(test_plan_select ${PLAN_RIG})
