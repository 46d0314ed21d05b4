# SPDX-License-Identifier: Apache-2.0
foreach(test test_buffer test_clock test_endpoints test_error test_fault test_heap test_json test_log test_random test_settings test_slab test_uuid)
  sc_unit_test(${test} LINK sc_base)
endforeach()
