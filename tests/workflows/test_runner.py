"""The runner's own tests: a judge that is wrong proves nothing."""

import pathlib
import tempfile
import unittest

from expressions import evaluate, interpolate
from runner import is_wanted, read_output, read_values

CONTEXT = {
    "status": "success",
    "github": {"ref": "refs/heads/main", "event": {"pull_request": {"number": 7}}},
    "steps": {"a": {"outputs": {"x": "true"}}},
    "needs": {},
    "inputs": {},
}


class Commands(unittest.TestCase):
    def commands(self, text):
        return [(found["command"], found["data"]) for found in read_output(text.encode())[1]]

    def test_both_forms_are_commands(self):
        for line, command in [
            ("::error::x", ("error", "x")),
            ("  \t\u00a0::error file=a,line=1::x", ("error", "x")),
            ("::ERROR::x", ("ERROR", "x")),
            ("x ##[error]y", ("error", "y")),
            ("a\r::warning::x", ("warning", "x")),
            ("a\n::set-output name=a::b", ("set-output", "b")),
        ]:
            self.assertEqual(self.commands(line), [command], line)

    def test_what_is_none_is_seen_by_people(self):
        for line in ["x ::error::y", "::nothing::x", "::error", "##[nothing]x", "#[error]x", "::"]:
            self.assertEqual(read_output(line.encode()), (line, []))

    def test_stopped_commands_are_output_until_the_token_comes(self):
        text = "::stop-commands::t\n::error::a\n##[error]b\n::t::\n::error::c"
        self.assertEqual(self.commands(text), [("error", "c")])


class Values(unittest.TestCase):
    def values(self, text):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "output"
            file.write_text(text, "utf-8")
            return read_values(file)

    def test_values_of_one_line_and_of_several(self):
        text = "a=b=c\nd<<END\n1\n  END\nx=y\nEND\ne=\n"
        self.assertEqual(self.values(text), {"a": "b=c", "d": "1\n  END\nx=y", "e": ""})

    def test_a_value_that_does_not_end_is_an_error(self):
        for text in ["a<<END\n1\n", "a\n"]:
            with self.assertRaises(SystemExit):
                self.values(text)


class Expressions(unittest.TestCase):
    def test_expressions_have_values(self):
        for text, value in [
            ("github.ref == 'refs/heads/main'", True),
            ("github.ref == 'REFS/heads/main' && !startsWith(github.ref, 'x')", True),
            ("steps.a.outputs.x == 'true'", True),
            ("steps.b.outputs.x == 'true' || github.event.pull_request.number != '7'", False),
            ("github.nothing.at.all", None),
            ("'it''s'", "it's"),
            ("!(cancelled() || always())", False),
        ]:
            self.assertEqual(evaluate(text, CONTEXT), value, text)
        self.assertEqual(interpolate("a ${{ github.ref }}${{ needs.x }}", CONTEXT), "a refs/heads/main")

    def test_what_is_not_known_is_an_error(self):
        for text in ["secrets.x", "a ||", "github.ref 'x'", "fromJSON('1')", "1 + 1"]:
            with self.assertRaises((ValueError, KeyError, IndexError), msg=text):
                evaluate(text, CONTEXT)

    def test_conditions_need_success_unless_they_say_otherwise(self):
        for condition, status, wanted in [
            (None, "success", True),
            (None, "failure", False),
            ("github.ref", "failure", False),
            ("${{ !cancelled() && github.ref }}", "failure", True),
            ("failure()", "success", False),
        ]:
            self.assertEqual(is_wanted(condition, CONTEXT, status), wanted, (condition, status))


if __name__ == "__main__":
    unittest.main()
