# SPDX-License-Identifier: Apache-2.0
foreach(test test_pool test_pool_faults test_pool_life test_pool_request test_sqlite
    test_sqlite_processes)
  sc_unit_test(${test} LINK sc_pool)
endforeach()
