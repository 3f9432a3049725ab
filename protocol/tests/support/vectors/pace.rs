//! How often a device says `Delivered`, by the size of the conversation and the
//! last byte of the user's id.

use super::PaceVector;
use super::cast::{ALICE, BOB};

const fn user(last: u8) -> [u8; 16] {
    let mut user = ALICE;
    user[15] = last;
    user
}

pub fn vectors() -> Vec<PaceVector> {
    let case = |name, about, members, user| PaceVector { name, about, members, user };
    vec![
        case("direct", "Two members: every 100 ms, whoever it is.", 2, BOB),
        case("alone", "Notes to oneself.", 1, ALICE),
        case("nobody_known", "Before Described came: as few as there can be.", 0, ALICE),
        case("ten_highest", "Ten members are few, also for the highest byte.", 10, user(0xff)),
        case("eleven_lowest", "Never below 100 ms.", 11, user(0x00)),
        case("eleven_middle", "Byte 128 has the middle: 10 ms a member.", 11, user(0x80)),
        case("eleven_highest", "Rounded down.", 11, user(0xff)),
        case("fifty", "A byte of somebody.", 50, BOB),
        case("hundred_lowest", "Three quarters of the middle.", 100, user(0x00)),
        case("hundred_middle", "One second.", 100, user(0x80)),
        case("hundred_highest", "Nearly five quarters.", 100, user(0xff)),
        case("two_hundred_lowest", "From 200 members on nothing grows.", 200, user(0x00)),
        case("two_hundred_highest", "The longest there is.", 200, user(0xff)),
        case("ten_thousand", "As with 200.", 10_000, user(0x80)),
    ]
}
