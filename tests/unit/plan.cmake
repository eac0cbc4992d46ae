unit_test(test_plan_fixtures LIBRARIES plan)
