//! The system's own notifications, where the person allows them. The page shows everything, too.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationOptions, NotificationPermission, ServiceWorkerRegistration};

/// The picture beside a notification.
const ICON: &str = "/icons/icon-192.png";

/// What the person has decided. Returns `None` if the browser has no notifications.
pub fn permission() -> Option<NotificationPermission> {
    let exists = js_sys::Reflect::has(&js_sys::global(), &"Notification".into()).unwrap_or(false);
    exists.then(Notification::permission)
}

/// Asks the person, and returns what holds then.
pub async fn request_permission() -> Option<NotificationPermission> {
    permission()?;
    let request: Promise = Notification::request_permission().ok()?;
    // Whatever it came to is read from where it is kept.
    drop(JsFuture::from(request).await);
    permission()
}

/// One notification; clicking it leads to `path`, a page of this site. Phones know none but the service worker's.
pub async fn show(title: &str, body: &str, path: &str) {
    if permission() != Some(NotificationPermission::Granted) {
        return;
    }
    let options = NotificationOptions::new();
    options.set_body(body);
    options.set_icon(ICON);
    // Read by `public/sw.js`.
    options.set_data(&path.into());
    // A second one of the same words replaces the first.
    options.set_tag(&format!("{title}/{body}"));
    if let Err(error) = show_through_worker(title, &options).await {
        tracing::debug!(?error, "the system shows no notification");
    }
}

/// Shows a notification by way of the service worker, the only way that phones know.
async fn show_through_worker(title: &str, options: &NotificationOptions) -> Result<(), JsValue> {
    let window = web_sys::window().ok_or(JsValue::UNDEFINED)?;
    let ready: Promise = window.navigator().service_worker().ready()?;
    let registration: ServiceWorkerRegistration = JsFuture::from(ready).await?.into();
    JsFuture::from(registration.show_notification_with_options(title, options)?).await.map(drop)
}
