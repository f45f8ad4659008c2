//! Kinds of things that have names: an enum, the list of all, and how each is written and read. Whoever
//! adds one cannot forget it in the list. It knows nothing of what the kinds are.

/// Makes the enum of some kinds, with `ALL`, `name`, `Display` and `FromStr`.
///
/// First what the enum is about, its name and the word for one of them; then what `ALL` is, above
/// its name; then a variant and its name, a line each.
macro_rules! kinds {
    (
        $(#[doc = $about:literal])+ $kinds:ident, $word:literal;
        #[doc = $all:literal] ALL;
        $($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)*
    ) => {
        $(#[doc = $about])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum $kinds {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl $kinds {
            #[doc = $all]
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// The name in command lines, files and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        impl std::fmt::Display for $kinds {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $kinds {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
                    let names = Self::ALL.map(Self::name).join(", ");
                    format!("no {} is named {text:?}; there are {names}", $word)
                })
            }
        }
    };
}
