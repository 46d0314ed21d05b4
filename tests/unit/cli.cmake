# SPDX-License-Identifier: Apache-2.0
foreach(test test_cli_args test_cli_csv test_cli_energy test_cli_lines test_cli_log_tail test_cli_out test_cli_restart test_cli_show test_cli_status test_cli_text)
  sc_unit_test(${test} LINK sc_cli)
endforeach()
