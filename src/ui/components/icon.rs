//! Our own line icons: 24 units square, drawn with the colour of the text beside them. They say nothing by themselves.

use leptos::prelude::*;

/// The name of an icon, after what it means or shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Home,
    People,
    Person,
    Settings,
    Search,
    Check,
    Cross,
    Warning,
    Info,
    Clock,
    Copy,
    Download,
    Lock,
    Key,
    Shield,
    Arrow,
    Pencil,
    Link,
    Device,
    Offline,
    Peers,
    Refresh,
    Install,
    Sun,
    Moon,
    Contrast,
    Eye,
    EyeOff,
    Trash,
    Seal,
    Words,
    Keyboard,
    Module,
    Talk,
    Bell,
    BellOff,
    Star,
    Play,
    Block,
    Book,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Home => "M4 11.5 12 5l8 6.5M6.5 10v9h11v-9M10.5 19v-5h3v5",
            Self::People => {
                "M9 11.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5M3 19c.4-3.2 2.8-5 6-5s5.6 1.8 6 5M15.5 5.3a3.2 3.2 0 0 1 0 6M17.5 14.4c2 .7 3.2 2.3 3.5 4.6"
            }
            Self::Person => {
                "M12 12a3.75 3.75 0 1 0 0-7.5 3.75 3.75 0 0 0 0 7.5M5 20c.5-3.6 3.3-5.5 7-5.5s6.5 1.9 7 5.5"
            }
            Self::Settings => "M4 7.5h9m4 0h3M4 16.5h3m4 0h9M15 5.2v4.6M9 14.2v4.6",
            Self::Search => "M10.75 17a6.25 6.25 0 1 0 0-12.5 6.25 6.25 0 0 0 0 12.5M15.3 15.3 20 20",
            Self::Check => "m5 12.5 4.7 4.7L19 7.5",
            Self::Cross => "m6.5 6.5 11 11m0-11-11 11",
            Self::Warning => "M12 4.5 21 19.5H3zM12 10v4.5M12 17v.2",
            Self::Info => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17M12 11v5.5M12 7.6v.2",
            Self::Clock => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17M12 7.5V12l3 2",
            Self::Copy => "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
            Self::Download => "M12 4v11m-4.5-4.5L12 15l4.5-4.5M4.5 19.5h15",
            Self::Lock => "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.5v2",
            Self::Key => "M8 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 12h9M18 12v3.5M15 12v2.5",
            Self::Shield => "M12 3.5 19.5 6v6c0 4.3-3 7.3-7.5 8.5-4.5-1.2-7.5-4.2-7.5-8.5V6zM8.8 12l2.3 2.3 4.2-4.4",
            Self::Arrow => "M4.5 12h15M13.5 6l6 6-6 6",
            Self::Pencil => "m4.5 19.5.8-4L15.5 5.3l3.2 3.2L8.5 18.7zM13.3 7.5l3.2 3.2",
            Self::Link => {
                "M10 14a3.6 3.6 0 0 0 5.2.3l3-3a3.6 3.6 0 0 0-5.1-5.1l-1.2 1.2M14 10a3.6 3.6 0 0 0-5.2-.3l-3 3a3.6 3.6 0 0 0 5.1 5.1l1.2-1.2"
            }
            Self::Device => "M4.5 5.5h15v10h-15zM2.5 19h19",
            Self::Offline => {
                "M4 4l16 16M8.5 15.5a5 5 0 0 1 5-1.2M5.5 12a9.3 9.3 0 0 1 3.7-2.3M18.5 12a9.3 9.3 0 0 0-5.5-2.7M12 19v.2"
            }
            Self::Peers => {
                "M12 8a2.2 2.2 0 1 0 0-4.4A2.2 2.2 0 0 0 12 8M5.5 19.5a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4M18.5 19.5a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4M10.9 7.7l-4.2 7.6M13.1 7.7l4.2 7.6M7.7 17.3h8.6"
            }
            Self::Refresh => "M19 8.5A7.7 7.7 0 0 0 5 10M5 15.5A7.7 7.7 0 0 0 19 14M19 4.5v4h-4M5 19.5v-4h4",
            Self::Install => "M12 4v9m-3.5-3.5L12 13l3.5-3.5M5 15v4.5h14V15",
            Self::Sun => {
                "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4"
            }
            Self::Moon => "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10",
            Self::Contrast => "M12 20.5a8.5 8.5 0 1 0 0-17zM12 3.5a8.5 8.5 0 0 1 0 17M15 7v10M18 9v6",
            Self::Eye => {
                "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12M12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6"
            }
            Self::EyeOff => {
                "M4 4l16 16M9.5 5.9c.8-.3 1.6-.4 2.5-.4 6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-2.8 3.5M6.3 7.6A16 16 0 0 0 2.5 12S6 18.5 12 18.5c1.7 0 3.2-.5 4.5-1.2"
            }
            Self::Trash => "M4.5 7h15M9 7V4.5h6V7M6.5 7l1 12.5h9l1-12.5M10.5 11v5M13.5 11v5",
            Self::Seal => {
                "M12 3.5l2.3 1.7 2.9-.1.8 2.7 2.4 1.6-1 2.7 1 2.7-2.4 1.6-.8 2.7-2.9-.1L12 20.5l-2.3-1.5-2.9.1-.8-2.7-2.4-1.6 1-2.7-1-2.7L6 7.8l.8-2.7 2.9.1zM8.8 12.2l2.2 2.2 4.2-4.6"
            }
            Self::Words => "M4.5 6.5h6M4.5 12h9M4.5 17.5h5M14 6.5h5.5M17 12h2.5M13 17.5h6.5",
            Self::Module => "M12 3.5 20 8v8l-8 4.5L4 16V8zM4 8l8 4.5L20 8M12 12.5v8",
            Self::Talk => "M4.5 5.5h15v10.5h-8L7 20v-4H4.5zM8.5 9.5h7M8.5 12.5h4.5",
            Self::Bell => "M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5l1.5 1.5H5zM10.3 20.5h3.4",
            Self::BellOff => "M4 4l16 16M6.5 9.5v7L5 18h11.5M8.4 6.9A5.5 5.5 0 0 1 17.5 11v3.5M10.3 20.5h3.4",
            Self::Star => "m12 4 2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
            Self::Block => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17M6 6l12 12",
            Self::Play => "M8 5.5v13l10-6.5z",
            Self::Keyboard => "M3 6.5h18v11H3zM6.5 10v.2M10 10v.2M13.5 10v.2M17 10v.2M8 14h8",
            Self::Book => {
                "M12 6.5C10 5 7.5 4.5 4.5 4.5V18c3 0 5.5 .5 7.5 2 2-1.5 4.5-2 7.5-2V4.5c-3 0-5.5.5-7.5 2zM12 6.5V20"
            }
        }
    }
}

/// Decoration: the text beside it carries the meaning.
pub fn icon(icon: Icon) -> impl IntoView {
    view! {
        <svg
            class="icon"
            viewBox="0 0 24 24"
            width="24"
            height="24"
            fill="none"
            stroke="currentColor"
            stroke-width="1.75"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
            focusable="false"
        >
            <path d=icon.path() />
        </svg>
    }
}
