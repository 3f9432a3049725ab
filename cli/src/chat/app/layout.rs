//! Where things stand on the screen, from its size alone.
//!
//! Shared by the app (which scrolls by what fits) and the view (which draws it),
//! so that the two can't disagree.

use ratatui::layout::Rect;

/// Below this many columns list and conversation take turns.
const TWO_PANES_COLUMNS: u16 = 64;

/// Lines of the composer that show at most.
const COMPOSER_LINES: u16 = 6;

/// What is in front when there is room for one pane only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    List,
    Room,
}

/// The screen's parts. An absent one has no room or isn't in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) list: Option<Rect>,
    pub(crate) room: Option<RoomAreas>,
    pub(crate) status: Rect,
}

/// The parts of the open conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoomAreas {
    pub(crate) header: Rect,
    pub(crate) timeline: Rect,
    pub(crate) rule: Rect,
    pub(crate) composer: Rect,
}

/// Divides a screen of `width` by `height`, for a composer of that many lines.
pub(crate) fn areas((width, height): (u16, u16), front: Front, composer_lines: usize) -> Areas {
    let status = Rect::new(0, height.saturating_sub(1), width, height.min(1));
    let main = Rect::new(0, 0, width, height.saturating_sub(1));
    if width >= TWO_PANES_COLUMNS {
        let list_width = (width / 3).min(32);
        let list = Rect { width: list_width, ..main };
        let room = Rect { x: list_width + 1, width: width - list_width - 1, ..main };
        return Areas { list: Some(list), room: Some(room_areas(room, composer_lines)), status };
    }
    match front {
        Front::List => Areas { list: Some(main), room: None, status },
        Front::Room => Areas { list: None, room: Some(room_areas(main, composer_lines)), status },
    }
}

fn room_areas(area: Rect, composer_lines: usize) -> RoomAreas {
    let wanted = u16::try_from(composer_lines).unwrap_or(u16::MAX).clamp(1, COMPOSER_LINES);
    // On a very low screen the timeline goes first, then the header.
    let composer = wanted.min((area.height / 2).max(1)).min(area.height);
    let left = area.height - composer;
    let rule = left.min(1);
    let header = (left - rule).min(1);
    let timeline = left - rule - header;
    let row = |y, height| Rect { y: area.y + y, height, ..area };
    RoomAreas {
        header: row(0, header),
        timeline: row(header, timeline),
        rule: row(header + timeline, rule),
        composer: row(header + timeline + rule, composer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_screen_and_nothing_overlaps() {
        for width in 0..100 {
            for height in 0..40 {
                for lines in [0, 1, 3, 50] {
                    check((width, height), areas((width, height), Front::Room, lines));
                    check((width, height), areas((width, height), Front::List, lines));
                }
            }
        }
    }

    fn check((width, height): (u16, u16), areas: Areas) {
        let mut parts = vec![areas.status];
        parts.extend(areas.list);
        if let Some(room) = areas.room {
            parts.extend([room.header, room.timeline, room.rule, room.composer]);
        }
        for (index, part) in parts.iter().enumerate() {
            assert!(part.right() <= width && part.bottom() <= height, "{part} in {width}x{height}");
            for other in parts.iter().skip(index + 1) {
                let overlap = part.intersection(*other);
                assert!(overlap.is_empty(), "{part} and {other} in {width}x{height}");
            }
        }
    }

    #[test]
    fn the_composer_grows_up_to_a_part_of_the_screen() {
        let heights = [1, 4, 50].map(|lines| {
            let room = areas((100, 24), Front::Room, lines).room.unwrap();
            (room.composer.height, room.timeline.height)
        });
        assert_eq!(heights, [(1, 20), (4, 17), (6, 15)]);
    }
}
