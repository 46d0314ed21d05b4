# SPDX-License-Identifier: Apache-2.0
foreach(test test_blob test_liveness test_message test_run test_scan test_schema test_search test_utf8)
  sc_unit_test(${test} LINK sc_proto)
endforeach()
target_compile_definitions(test_schema PRIVATE SC_PROTOCOL_DOCS="${CMAKE_SOURCE_DIR}/docs/protocol.md")

# Those that need links on a loop.
add_library(sc_test_stations STATIC ${CMAKE_SOURCE_DIR}/tests/support/stations.c)
target_link_libraries(sc_test_stations PUBLIC sc_proto PkgConfig::CRITERION)
foreach(test test_endpoint test_frames test_link test_uplink)
  sc_unit_test(${test} LINK sc_test_stations)
endforeach()
