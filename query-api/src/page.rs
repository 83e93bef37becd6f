//! When a page is the last.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use verbatim_domain::{Position, access::Range};
use verbatim_http::with_position;
use verbatim_schemas::rest::Page;

/// Whether any number of these ranges lies below another.
pub(crate) fn any_below(ranges: &[Range], number: u64) -> bool {
    ranges.iter().any(|range| range.first <= range.last && range.first < number)
}

/// Whether any number of these ranges lies above another.
pub(crate) fn any_above(ranges: &[Range], number: u64) -> bool {
    ranges.iter().any(|range| range.first <= range.last && range.last > number)
}

/// Cuts items that were read with [`one_more`] to a page, with what stands for the last one as
/// `next` where there are more.
pub(crate) fn cut<T, N>(mut items: Vec<T>, limit: u32, next: impl Fn(&T) -> N) -> Page<T, N> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(next);
    Page { items, next }
}

/// How many items to read, to know whether a page is the last.
pub(crate) fn one_more(limit: u32) -> u32 {
    limit.saturating_add(1)
}

/// The answer that holds a body and includes a position.
pub(crate) fn answer<T: Serialize>(body: T, position: &Position) -> Response {
    with_position(Json(body).into_response(), position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_ranges_hold_nothing() {
        let ranges = [Range { first: 3, last: 5 }, Range { first: 9, last: 8 }];
        assert!(!any_below(&ranges, 3) && any_below(&ranges, 4));
        assert!(!any_above(&ranges, 5) && any_above(&ranges, 4));
        assert!(!any_above(&[], 0) && !any_below(&[], 9));
    }

    #[test]
    fn a_page_goes_on_only_where_there_is_more() {
        let page = |items: Vec<u8>| {
            let page = cut(items, 2, |item| *item);
            (page.items, page.next)
        };
        assert_eq!(page(vec![]), (vec![], None));
        assert_eq!(page(vec![1, 2]), (vec![1, 2], None));
        assert_eq!(page(vec![1, 2, 3]), (vec![1, 2], Some(2)));
    }
}
