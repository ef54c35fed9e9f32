package dev.edgekit.sample.calls

import android.content.Intent
import android.net.Uri
import android.provider.AlarmClock
import android.provider.CalendarContract
import android.provider.ContactsContract
import android.provider.Settings
import androidx.core.net.toUri
import java.time.LocalDateTime
import java.time.ZoneId

/** What another app is asked to do. As in the manifest's queries, so that the app sees whether there is one. */
fun intentOf(deed: Deed.HandedOver): Intent = when (deed) {
    Deed.WifiSettings -> Intent(Settings.ACTION_WIFI_SETTINGS)
    is Deed.Contact -> Intent(Intent.ACTION_INSERT)
        .setType(ContactsContract.Contacts.CONTENT_TYPE)
        .putExtra(ContactsContract.Intents.Insert.NAME, deed.name)
        .putExtra(ContactsContract.Intents.Insert.PHONE, deed.phone)
        .putExtra(ContactsContract.Intents.Insert.EMAIL, deed.email)
    is Deed.Email -> Intent(Intent.ACTION_SENDTO, "mailto:".toUri())
        .putExtra(Intent.EXTRA_EMAIL, listOfNotNull(deed.to).toTypedArray())
        .putExtra(Intent.EXTRA_SUBJECT, deed.subject)
        .putExtra(Intent.EXTRA_TEXT, deed.body)
    is Deed.ShowOnMap -> Intent(Intent.ACTION_VIEW, "geo:0,0?q=${Uri.encode(deed.query)}".toUri())
    is Deed.Event -> Intent(Intent.ACTION_INSERT, CalendarContract.Events.CONTENT_URI)
        .putExtra(CalendarContract.Events.TITLE, deed.title)
        .putExtra(CalendarContract.Events.EVENT_LOCATION, deed.place)
        .apply { deed.begin?.let { span(it, deed) } }
    is Deed.Timer -> Intent(AlarmClock.ACTION_SET_TIMER)
        .putExtra(AlarmClock.EXTRA_LENGTH, deed.length.seconds.toInt())
        .putExtra(AlarmClock.EXTRA_MESSAGE, deed.label)
}

private fun Intent.span(begin: LocalDateTime, deed: Deed.Event) {
    putExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, millis(begin))
    deed.length?.let { putExtra(CalendarContract.EXTRA_EVENT_END_TIME, millis(begin.plus(it))) }
}

private fun millis(moment: LocalDateTime) = moment.atZone(ZoneId.systemDefault()).toInstant().toEpochMilli()
