use super::*;

fn read(text: &str) -> Option<u64> {
    serde_json::from_value::<Timestamp>(text.into()).ok().map(Timestamp::as_millis)
}

#[test]
fn times_are_written_with_milliseconds() {
    for (millis, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
        (Timestamp::MAX.as_millis(), "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        assert_eq!(read(text), Some(millis));
    }
}

#[test]
fn no_time_lies_beyond_the_year_9999() {
    for millis in [Timestamp::MAX.as_millis() + 1, u64::MAX] {
        assert_eq!(Timestamp::from_millis(millis), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.plus_millis(millis), Timestamp::MAX);
    }
    assert_eq!(Timestamp::from_millis(1).millis_since(Timestamp::MAX), 0);
}

#[test]
fn what_is_no_time_in_utc_is_refused() {
    for text in [
        "",
        "1969-12-31T23:59:59.999Z",
        "10000-01-01T00:00:00.000Z",
        "2024-02-30T00:00:00.000Z",
        "2024-01-01T00:00:00.000+01:00",
        "2024-01-01",
        "1700000000000",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
