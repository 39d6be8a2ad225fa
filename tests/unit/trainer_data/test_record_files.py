"""Files: which are chosen, how they are decoded, and what is said about those that cannot be."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trivium_trainer.config import DataFiles, DataSource, HubSource, Source
from trivium_trainer.failure import TrainingError
from trivium_trainer.prepare.files import InputFile, digest_files, digest_text, select_files, split_of
from trivium_trainer.prepare.parts import PART_BYTES, group_files
from trivium_trainer.prepare.problems import BadRecordError
from trivium_trainer.prepare.records import Record, read_records


def source(**fields):
    return DataSource(name="train[0]", source=Source(path="/trivium/data/0"), **fields)


def read(folder, name, kind):
    return list(read_records(folder, InputFile(path=name, type=kind, bytes=0, sha256="")))


def test_lines_keep_their_number_and_empty_ones_are_no_records(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": "\\u00e9"}')
    assert read(tmp_path, "a.jsonl", "jsonl") == [
        Record(location="a.jsonl:1", values={"text": "one"}),
        Record(location="a.jsonl:3", values={"text": "é"}),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": ', "a.jsonl:2: not JSON"),
        (b'{"text": "\xff"}', "a.jsonl:2: not UTF-8 (byte 10 of the line)"),
        (b"[1, 2]", "a.jsonl:2: not a JSON object: [1, 2]"),
        (b'{"text": "\\ud800"}', "a.jsonl:2: holds half of a surrogate pair"),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error_in_its_place(tmp_path, line, problem):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n' + line + b'\n{"text": "three"}\n')
    first, bad, last = read(tmp_path, "a.jsonl", "jsonl")
    assert isinstance(bad, BadRecordError)
    assert str(bad).startswith(problem)
    assert (first.location, last.location) == ("a.jsonl:1", "a.jsonl:3")


def test_a_json_array_is_read_item_by_item(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"text": "one"}, "two"], indent=1))
    first, second = read(tmp_path, "a.json", "jsonl")
    assert first == Record(location="a.json: item 1", values={"text": "one"})
    assert str(second) == "a.json: item 2: not a JSON object: 'two'"


def test_parquet_rows_are_counted_from_one(tmp_path):
    pq.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "a.parquet")
    assert [one.location for one in read(tmp_path, "a.parquet", "parquet")] == ["a.parquet: row 1", "a.parquet: row 2"]


def test_a_damaged_parquet_file_is_one_bad_record(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    (bad,) = read(tmp_path, "a.parquet", "parquet")
    assert str(bad).startswith("a.parquet: row 1: not readable as parquet")


def test_a_text_file_is_one_document_and_must_be_utf_8(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\ntwo")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    (tmp_path / "c.txt").write_text("\n")
    assert read(tmp_path, "a.txt", "text") == [Record(location="a.txt", values={"text": "one\n\ntwo"})]
    assert str(read(tmp_path, "b.txt", "text")[0]) == "b.txt: not UTF-8 (byte 3)"
    assert read(tmp_path, "c.txt", "text") == []


def test_prose_beside_rows_is_no_data_and_hidden_files_are_not_seen():
    names = ["README.md", "b.jsonl", "a.parquet", ".cache/x.jsonl", "..data/b.jsonl"]
    assert select_files(source(), names) == {"a.parquet": "parquet", "b.jsonl": "jsonl"}
    assert select_files(source(), ["z.py", "a/b.rst"]) == {"a/b.rst": "text", "z.py": "text"}


def test_a_glob_and_a_type_choose():
    names = ["x/1.log", "x/y/2.log", "3.log"]
    assert select_files(source(files=DataFiles(glob="x/*.log", type="text")), names) == {"x/1.log": "text"}
    assert list(select_files(source(files=DataFiles(glob="**/*.log", type="text")), names)) == sorted(names)


def test_the_split_is_read_off_the_names():
    names = ["data/train-00000-of-00002.parquet", "data/validation-00000.parquet", "test.jsonl", "dev/1.jsonl"]
    assert [split_of(name) for name in names] == ["train", "validation", "test", "validation"]
    assert list(select_files(source(), names)) == ["data/train-00000-of-00002.parquet"]
    assert list(select_files(source(split="validation"), names)) == ["data/validation-00000.parquet", "dev/1.jsonl"]
    # Where no name says train, all that say nothing are it.
    assert list(select_files(source(), ["rows.jsonl", "test.jsonl"])) == ["rows.jsonl"]
    # Text is never split by name: train.py is a program.
    assert list(select_files(source(), ["train.py", "other.py"])) == ["other.py", "train.py"]


def test_a_configuration_of_a_hub_data_set_is_a_folder_or_a_word():
    hub = DataSource(name="train[0]", source=Source(hub=HubSource(repo="a/b", config="en")))
    assert list(select_files(hub, ["en/train.jsonl", "de/train.jsonl"])) == ["en/train.jsonl"]
    assert list(select_files(hub, ["train_en.jsonl", "train_de.jsonl"])) == ["train_en.jsonl"]


@pytest.mark.parametrize(
    ("fields", "names", "want"),
    [
        (
            {"files": DataFiles(glob="*.csv")},
            ["a.jsonl"],
            (
                "NoFiles: data.train[0].files.glob: *.csv matches none of 1 files (a.jsonl). "
                "Correct the glob or the path of the source."
            ),
        ),
        (
            {},
            ["a.bin", "b.bin", "c.bin", "d.bin"],
            (
                "UnknownFileType: data.train[0].files.type: the suffixes of 4 files are not known (a.bin, b.bin, c.bin, "
                "...). Set type to jsonl, parquet or text."
            ),
        ),
        (
            {"split": "validation"},
            ["train.jsonl", "test.jsonl"],
            (
                "EmptySplit: data.train[0].split: validation has no file; the source has test, train. "
                "Set split to test or train, or name the files with files.glob."
            ),
        ),
    ],
)
def test_no_file_is_a_failure_that_says_which_step_left_none(fields, names, want):
    with pytest.raises(TrainingError) as caught:
        select_files(source(**fields), names)
    assert str(caught.value) == want


def test_small_files_share_a_part_and_a_large_one_has_its_own():
    def file(name, size):
        return InputFile(path=name, type="text", bytes=size, sha256="")

    half = PART_BYTES // 2
    files = [file("a", half), file("b", half), file("c", 1), file("d", 10 * PART_BYTES), file("e", 1)]
    assert [[one.path for one in part] for part in group_files(source(), files)] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert len(group_files(source(max_rows=5), files)) == 1


def test_digests_depend_on_content_and_on_borders(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example B.1
    assert digest_files(tmp_path, ["a", "a"]) == [want, want]
    assert digest_text("ab", "c") != digest_text("a", "bc")
