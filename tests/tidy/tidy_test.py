#!/usr/bin/env python3
"""The checker finds each kind of defect that it is for, and nothing in clean text."""

import sys
import unittest

import tidy

HEAD = "// What this file is.\n"


def findings(path, text, ratchet=None):
    found = tidy.Findings()
    tidy.check_file(path, text, ratchet or {}, found)
    return "\n".join(found.lines)


class TidyTest(unittest.TestCase):
    def test_clean_text_has_no_finding(self):
        self.assertEqual(findings("lib/raft/core.cc", HEAD + '#include "base/assert.h"\n'), "")

    def test_an_upward_include(self):
        self.assertIn("raft may not include storage",
                      findings("lib/raft/core.cc", HEAD + '#include "storage/log_store.h"\n'))

    def test_a_nested_layer(self):
        self.assertIn("transport/grpc may not include consensus",
                      findings("lib/transport/grpc/a.cc", HEAD + '#include "consensus/host.h"\n'))

    def test_a_library_outside_of_its_folder(self):
        self.assertIn("RocksDB belongs to lib/storage",
                      findings("lib/jobs/a.cc", HEAD + "#include <rocksdb/db.h>\n"))

    def test_a_public_header_that_leaks(self):
        self.assertIn("only std and Abseil",
                      findings("include/scheduled/a.h", HEAD + '#include "base/lane.h"\n'))

    def test_the_server_reaches_into_the_library(self):
        self.assertIn("use include/scheduled",
                      findings("server/main.cc", HEAD + '#include "jobs/tables.h"\n'))

    def test_a_clock_read_in_the_core(self):
        self.assertIn("Clock::WallNow",
                      findings("lib/jobs/a.cc", HEAD + "auto t = absl::Now();\n"))

    def test_a_comment_is_no_call(self):
        self.assertEqual(findings("lib/jobs/a.cc", HEAD + "// not absl::Now() here\n"), "")

    def test_a_sleep_in_a_test(self):
        self.assertIn("wait on a condition",
                      findings("tests/jobs/a.cc", HEAD + "std::this_thread::sleep_for(x);\n"))

    def test_a_missing_head(self):
        self.assertIn("starts without a comment", findings("lib/base/a.cc", "int x;\n"))

    def test_an_open_end(self):
        self.assertIn("an open end", findings("lib/base/a.cc", HEAD + "// TO" + "DO: later\n"))

    def test_a_long_file_and_its_ratchet(self):
        text = HEAD + "int x;\n" * 700
        self.assertIn("has 701 lines", findings("lib/base/a.cc", text))
        self.assertEqual(findings("lib/base/a.cc", text, {"lib/base/a.cc": 701}), "")

    def test_a_long_function(self):
        text = HEAD + "namespace a {\nvoid Foo(int x) {\n" + "  x++;\n" * 100 + "}\n}\n"
        self.assertIn("Foo has 102 lines", findings("lib/base/a.cc", text))


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False).result.wasSuccessful() else 1)
