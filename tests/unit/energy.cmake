# SPDX-License-Identifier: Apache-2.0
foreach(test test_energy test_energy_ledger test_energy_product test_energy_sample test_energy_suitability test_energy_system test_energy_weights)
  sc_unit_test(${test} LINK sc_energy)
endforeach()
target_compile_definitions(test_energy_sample PRIVATE SC_SAMPLE_DIR="${CMAKE_SOURCE_DIR}/deploy/sample")
