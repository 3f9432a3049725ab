//! The sign-in form: which server, whom to trust, who, and the password.
//!
//! Pure. The password leaves it only inside a `SecretString`, and is never
//! drawn.

use secrecy::SecretString;

use super::composer::Composer;
use crate::chat::text::one_line;

/// Characters a field takes.
const FIELD_CHARS: usize = 512;

/// The fields, top down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Server,
    Fingerprint,
    Name,
    Password,
}

impl Field {
    pub(crate) const ALL: [Self; 4] = [Self::Server, Self::Fingerprint, Self::Name, Self::Password];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Fingerprint => "Fingerprint",
            Self::Name => "Name",
            Self::Password => "Password",
        }
    }
}

/// Whether the account exists or is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Purpose {
    #[default]
    SignIn,
    SignUp,
}

/// What is sent to sign in.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) server: String,
    /// Empty: the system's roots, or what the command line said.
    pub(crate) fingerprint: String,
    pub(crate) name: String,
    pub(crate) password: SecretString,
    pub(crate) purpose: Purpose,
}

/// The form.
#[derive(Clone)]
pub(crate) struct Form {
    fields: [Composer; 4],
    given_password: Option<SecretString>,
    pub(crate) focus: Field,
    pub(crate) purpose: Purpose,
    /// Signing in: the fields rest.
    pub(crate) busy: bool,
    /// Why the last attempt failed.
    pub(crate) problem: Option<String>,
}

// The password stays out of debug output.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").field("focus", &self.focus).finish_non_exhaustive()
    }
}

impl Form {
    /// A form with what the command line knows; the focus is on the first gap.
    pub(crate) fn new(server: &str, fingerprint: &str, name: &str, purpose: Purpose) -> Self {
        let fields =
            [server, fingerprint, name, ""].map(|text| Composer::with_text(&one_line(text)));
        let focus = match (server.is_empty(), name.is_empty()) {
            (true, _) => Field::Server,
            (false, true) => Field::Name,
            (false, false) => Field::Password,
        };
        Self { fields, given_password: None, focus, purpose, busy: false, problem: None }
    }

    /// Takes a password from elsewhere; what is typed goes before it.
    pub(crate) fn give_password(&mut self, password: SecretString) {
        self.given_password = Some(password);
    }

    pub(crate) fn field(&self, field: Field) -> &Composer {
        let [server, fingerprint, name, password] = &self.fields;
        match field {
            Field::Server => server,
            Field::Fingerprint => fingerprint,
            Field::Name => name,
            Field::Password => password,
        }
    }

    pub(crate) fn focused(&mut self) -> &mut Composer {
        let [server, fingerprint, name, password] = &mut self.fields;
        match self.focus {
            Field::Server => server,
            Field::Fingerprint => fingerprint,
            Field::Name => name,
            Field::Password => password,
        }
    }

    pub(crate) fn insert(&mut self, text: &str) {
        // A pasted line end would end up inside the field.
        let line: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        self.focused().insert(&line, FIELD_CHARS);
        self.problem = None;
    }

    pub(crate) fn next(&mut self) {
        self.focus = match self.focus {
            Field::Server => Field::Fingerprint,
            Field::Fingerprint => Field::Name,
            Field::Name => Field::Password,
            Field::Password => Field::Server,
        };
    }

    pub(crate) fn previous(&mut self) {
        self.focus = match self.focus {
            Field::Server => Field::Password,
            Field::Fingerprint => Field::Server,
            Field::Name => Field::Fingerprint,
            Field::Password => Field::Name,
        };
    }

    pub(crate) fn toggle_purpose(&mut self) {
        self.purpose = match self.purpose {
            Purpose::SignIn => Purpose::SignUp,
            Purpose::SignUp => Purpose::SignIn,
        };
    }

    /// Takes the form's content to sign in with; `None` with the focus on the
    /// first field that lacks something.
    pub(crate) fn submit(&mut self) -> Option<Credentials> {
        let given = self.given_password.clone();
        for field in [Field::Server, Field::Name, Field::Password] {
            let given = field == Field::Password && given.is_some();
            if !given && self.field(field).text().trim().is_empty() {
                self.focus = field;
                self.problem = Some(format!("{} is missing", field.label()));
                return None;
            }
        }
        self.problem = None;
        self.busy = true;
        let typed = self.field(Field::Password).text();
        let password =
            given.filter(|_| typed.is_empty()).unwrap_or_else(|| typed.to_owned().into());
        Some(Credentials {
            server: self.field(Field::Server).text().trim().to_owned(),
            fingerprint: self.field(Field::Fingerprint).text().trim().to_owned(),
            name: self.field(Field::Name).text().trim().to_owned(),
            password,
            purpose: self.purpose,
        })
    }

    /// The attempt failed, or the session ended: the fields are open again.
    pub(crate) fn reopen(&mut self, problem: Option<String>) {
        self.busy = false;
        self.problem = problem;
        self.focus = Field::Password;
    }

    /// Signed in: the password isn't needed here any more.
    pub(crate) fn forget_password(&mut self) {
        self.busy = false;
        self.problem = None;
        // An account is made once; what follows is a sign-in.
        self.purpose = Purpose::SignIn;
        let [_, _, _, password] = &mut self.fields;
        drop(password.take());
        self.given_password = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn what_is_missing_gets_the_focus() {
        let mut form = Form::new("quic://x:1", "", "", Purpose::SignIn);
        assert_eq!(form.focus, Field::Name);
        form.insert("alice");
        assert!(form.submit().is_none());
        assert_eq!(form.focus, Field::Password);
        form.insert("long enough\n");
        let credentials = form.submit().unwrap();
        assert_eq!(credentials.name, "alice");
        assert_eq!(credentials.password.expose_secret(), "long enough");
        assert!(form.busy);
        form.forget_password();
        assert!(form.field(Field::Password).is_empty());
    }

    #[test]
    fn a_given_password_is_used_as_it_is() {
        let mut form = Form::new("quic://x:1", "", "alice", Purpose::SignIn);
        form.give_password("tab\tinside".to_owned().into());
        let credentials = form.submit().unwrap();
        assert_eq!(credentials.password.expose_secret(), "tab\tinside");
        form.insert("typed instead");
        let credentials = form.submit().unwrap();
        assert_eq!(credentials.password.expose_secret(), "typed instead");
    }

    #[test]
    fn the_focus_goes_round() {
        let mut form = Form::new("", "", "", Purpose::SignUp);
        for _ in Field::ALL {
            form.next();
            form.previous();
            form.next();
        }
        assert_eq!(form.focus, Field::Server);
    }
}
