# SPDX-License-Identifier: Apache-2.0
foreach(test test_core_adopt test_core_calls test_core_cancel test_core_durable test_core_end
    test_core_jobs test_core_leases test_core_keys test_core_parents
    test_core_payload test_core_poison test_core_progress test_core_results test_core_retry
    test_core_schedule test_core_sessions test_core_tasks test_history)
  sc_unit_test(${test} LINK sc_test_core)
endforeach()
sc_unit_test(test_core_memory LINK sc_test_core sc_test_memory)
sc_library(sc_test_server ${CMAKE_SOURCE_DIR}/tests/support/postgres_server.c LINK sc_base)
target_compile_definitions(sc_test_server PRIVATE SC_TEST_SUPPORT="${CMAKE_SOURCE_DIR}/tests/support")
foreach(test test_journal_backends test_journal_lives test_journal_postgres test_journal_retry test_journal_sqlite)
  sc_unit_test(${test} LINK sc_coordinator sc_test_server sc_test_memory)
endforeach()
foreach(test test_journal test_journal_cache test_journal_faults test_journal_trouble test_spill test_store test_store_index test_store_memory test_store_places test_store_results)
  sc_unit_test(${test} LINK sc_coordinator sc_test_memory)
endforeach()
