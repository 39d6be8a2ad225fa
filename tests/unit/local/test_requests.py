"""Orders between terminals: carried out exactly by one process, whoever is alive."""

import json
import threading
from pathlib import Path

from trivium.local.requests import Answer, answer_orders, ask, clear_answers
from trivium.local.state_folder import StateFolder, StateLock


def refuse(_order) -> Answer:
    raise AssertionError("must not act beside a running process")


def test_an_order_without_a_process_at_work_is_carried_out_by_the_asker(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    answer = ask(folder, {"verb": "suspend"}, alone=lambda order: Answer(ok=True, message=order["verb"]))
    assert answer == Answer(ok=True, message="suspend")


def test_an_order_reaches_the_process_at_work_and_its_answer_comes_back(tmp_path: Path) -> None:
    folder, answers = StateFolder(tmp_path), []
    with StateLock(folder):
        asker = threading.Thread(target=lambda: answers.append(ask(folder, {"verb": "suspend"}, alone=refuse)))
        asker.start()
        while not answer_orders(folder, lambda order: Answer(ok=False, message=f"no {order['verb']}")):
            asker.join(0.01)
        asker.join(10)
    assert answers == [Answer(ok=False, message="no suspend")]
    assert list(folder.requests.iterdir()) == []


def test_an_order_whose_reader_ends_before_it_reads_is_carried_out_by_the_asker(tmp_path: Path) -> None:
    folder, answers = StateFolder(tmp_path), []
    with StateLock(folder):
        asker = threading.Thread(
            target=lambda: answers.append(ask(folder, {}, alone=lambda _: Answer(ok=True, message="alone")))
        )
        asker.start()
        while not list(folder.requests.glob("*.order.json")):
            asker.join(0.01)
    asker.join(10)
    assert answers == [Answer(ok=True, message="alone")]
    assert list(folder.requests.iterdir()) == []


def test_an_order_that_was_answered_before_its_reader_ended_is_not_carried_out_again(tmp_path: Path) -> None:
    folder, answers = StateFolder(tmp_path), []
    lock = StateLock(folder)
    lock.acquire()
    asker = threading.Thread(target=lambda: answers.append(ask(folder, {}, alone=refuse)))
    asker.start()
    while not answer_orders(folder, lambda _: Answer(ok=True, message="done")):
        asker.join(0.01)
    lock.release()
    asker.join(10)
    assert answers == [Answer(ok=True, message="done")]


def test_orders_are_carried_out_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    folder, seen = StateFolder(tmp_path), []
    folder.requests.mkdir()
    for number in (2, 1, 3):
        (folder.requests / f"{number}.order.json").write_text(json.dumps({"number": number}))
    assert answer_orders(folder, lambda order: seen.append(order["number"]) or Answer(ok=True, message="")) == 3
    assert seen == [1, 2, 3]
    clear_answers(folder)
    assert list(folder.requests.iterdir()) == []
