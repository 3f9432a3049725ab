//! What names, passwords and device labels may be.

use parley_protocol::Code;
use parley_protocol::http::DeviceLabel;
use parley_protocol::limits::{DEVICE_NAME_CHARS, PASSWORD_BYTES, USER_NAME_CHARS};
use parley_protocol::visible::{is_one_line, shows_something};

/// Checks a user name. There is one spelling of a name: capitals are refused.
pub(super) fn name(name: &str) -> Result<(), Code> {
    let (low, high) = USER_NAME_CHARS;
    let shape = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
        });
    // All ASCII when the shape is right, so bytes are characters.
    if shape && (low..=high).contains(&name.len()) { Ok(()) } else { Err(Code::NameInvalid) }
}

pub(super) fn password(password: &str) -> Result<(), Code> {
    let (low, high) = PASSWORD_BYTES;
    if (low..=high).contains(&password.len()) { Ok(()) } else { Err(Code::PasswordInvalid) }
}

pub(super) fn device(device: &DeviceLabel) -> Result<(), Code> {
    let printable = |text: &str| {
        text.chars().take(DEVICE_NAME_CHARS + 1).count() <= DEVICE_NAME_CHARS
            && !text.chars().any(char::is_control)
    };
    let named = !device.name.trim().is_empty();
    // That it shows what it is called, too, is asked of names that are new.
    if named && printable(&device.name) && printable(&device.platform) {
        Ok(())
    } else {
        Err(Code::DeviceInvalid)
    }
}

/// Checks the name of a device that was never here: others of the account must be
/// able to tell it from theirs.
pub(super) fn new_device(name: &str) -> Result<(), Code> {
    if is_one_line(name) && shows_something(name) { Ok(()) } else { Err(Code::DeviceInvalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for good in ["bob", "a.b-c_9", "x23", &"a".repeat(32)] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        for bad in
            ["", "ab", "Bob", "9bob", ".bob", "bob ", "b ob", "böb", "bob\0", &"a".repeat(33)]
        {
            assert_eq!(name(bad), Err(Code::NameInvalid), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_counted_in_bytes() {
        assert_eq!(password("1234567"), Err(Code::PasswordInvalid));
        assert_eq!(password("12345678"), Ok(()));
        assert_eq!(password("ééééé"), Ok(()));
        assert_eq!(password(&"x".repeat(256)), Ok(()));
        assert_eq!(password(&"x".repeat(257)), Err(Code::PasswordInvalid));
    }

    #[test]
    fn a_new_device_shows_what_it_is_called() {
        assert_eq!(new_device("Anna's phone 📱"), Ok(()));
        for bad in ["lap\u{200b}top", "\u{202e}potpal", "\u{3164}", "\u{fffe}", "x\u{ad}"] {
            assert_eq!(new_device(bad), Err(Code::DeviceInvalid), "{bad:?}");
        }
    }

    #[test]
    fn device_labels_are_short_and_printable() {
        let label = |name: &str, platform: &str| {
            device(&DeviceLabel { name: name.to_owned(), platform: platform.to_owned() })
        };
        assert_eq!(label("Anna's phone 📱", ""), Ok(()));
        assert_eq!(label(&"é".repeat(64), "linux"), Ok(()));
        for (name, platform) in [
            ("", ""),
            ("  ", ""),
            ("a\nb", ""),
            (&*"é".repeat(65), ""),
            ("ok", "a\0"),
            ("ok", &*"x".repeat(65)),
        ] {
            assert_eq!(label(name, platform), Err(Code::DeviceInvalid), "{name:?} {platform:?}");
        }
    }
}
