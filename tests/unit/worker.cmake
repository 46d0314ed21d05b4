# SPDX-License-Identifier: Apache-2.0
foreach(test test_child test_cost test_executor test_page test_registry test_worker_messages
    test_worker_session test_worker_tasks)
  sc_unit_test(${test} LINK sc_worker)
endforeach()

# A plugin that is good, and what a plugin can be wrong in.
foreach(kind good no_init no_abi other_abi taken)
  add_library(plugin_${kind} MODULE ${CMAKE_SOURCE_DIR}/tests/support/plugin_sample.c)
  set_target_properties(plugin_${kind} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  target_include_directories(plugin_${kind} PRIVATE ${CMAKE_SOURCE_DIR})
  string(TOUPPER PLUGIN_${kind} symbol)
  target_compile_definitions(plugin_${kind} PRIVATE ${symbol})
  add_dependencies(test_registry plugin_${kind})
endforeach()
target_compile_definitions(test_registry PRIVATE SC_PLUGIN_DIR="${CMAKE_BINARY_DIR}/plugins")
set_target_properties(test_registry PROPERTIES ENABLE_EXPORTS ON)
