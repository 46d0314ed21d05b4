# SPDX-License-Identifier: Apache-2.0
foreach(test test_client test_client_args test_client_calls test_client_chunks test_client_digest test_client_jobs test_client_session)
  sc_unit_test(${test} LINK sc_client)
endforeach()
sc_unit_test(test_client_memory LINK sc_client sc_test_memory)
