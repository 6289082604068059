def test_a_list_that_ends_in_repeats_is_an_answer_and_a_list_of_one_thing_is_a_loop() -> None:
    assert junk_kind("cat, tractor, bike, bike, bike, bike") is None
    assert junk_kind("cat, tractor, " + ", ".join(["bike"] * 20)) == "looping"
    assert junk_kind("cat, bike, bike, bike, bike, bike") == "looping"
