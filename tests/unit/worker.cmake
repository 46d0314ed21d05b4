# SPDX-License-Identifier: Apache-2.0
foreach(test test_child test_cost test_executor test_member test_once test_page test_references test_registry test_worker_messages
    test_worker_session test_worker_tasks)
  sc_unit_test(${test} LINK sc_worker)
endforeach()
sc_unit_test(test_worker_memory LINK sc_worker sc_test_memory)

# sc_test_plugin(NAME SOURCE): a plugin in plugins/ of the build folder.
function(sc_test_plugin name source)
  add_library(${name} MODULE ${CMAKE_SOURCE_DIR}/tests/support/${source})
  set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
endfunction()

# A plugin that is good, and what a plugin can be wrong in.
foreach(kind good no_init no_abi other_abi taken)
  sc_test_plugin(plugin_${kind} plugin_sample.c)
  string(TOUPPER PLUGIN_${kind} symbol)
  target_compile_definitions(plugin_${kind} PRIVATE ${symbol})
  add_dependencies(test_registry plugin_${kind})
endforeach()

target_compile_definitions(test_registry PRIVATE SC_PLUGIN_DIR="${CMAKE_BINARY_DIR}/plugins")
set_target_properties(test_registry PROPERTIES ENABLE_EXPORTS ON)
