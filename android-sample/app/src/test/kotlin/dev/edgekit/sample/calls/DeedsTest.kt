package dev.edgekit.sample.calls

import android.app.Activity
import android.app.Application
import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.media.AudioManager
import android.provider.AlarmClock
import android.provider.CalendarContract
import android.provider.ContactsContract
import android.provider.Settings
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.calls.Call
import dev.edgekit.core.calls.Outcome
import java.time.Duration
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.ZoneId
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowCameraCharacteristics

/** From a call to what the phone does for it. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class DeedsTest {
    private val context = ApplicationProvider.getApplicationContext<Application>()

    private val activity by lazy { Robolectric.buildActivity(Activity::class.java).setup().get() }

    private fun deed(name: String, vararg arguments: Pair<String, Any>) = deedOf(Call(name, mapOf(*arguments)))

    /** The intent that was started for it, after an app was installed that takes it. */
    private fun started(deed: Deed.HandedOver): Intent {
        val app = ComponentName("other", "other.Activity")
        val wanted = intentOf(deed)
        shadowOf(context.packageManager).run {
            addActivityIfNotPresent(app)
            val filter = IntentFilter(wanted.action).apply {
                addCategory(Intent.CATEGORY_DEFAULT)
                wanted.data?.scheme?.let(::addDataScheme)
                wanted.type?.let(::addDataType)
            }
            addIntentFilterForActivity(app, filter)
        }
        assertEquals(Outcome.HANDED_OVER, carryOut(deed, activity))
        return shadowOf(context).nextStartedActivity
    }

    @Test
    fun `calls of Mobile Actions, and of tools like them`() {
        assertEquals(Deed.Torch(true), deed("turn_on_flashlight"))
        assertEquals(Deed.Torch(false), deed("turn_off_flashlight"))
        assertEquals(Deed.Torch(false), deed("set_flashlight", "on" to false))
        assertEquals(Deed.WifiSettings, deed("open_wifi_settings"))
        assertEquals(Deed.Contact("Ada Lovelace", "123", null), deed("create_contact", "first_name" to "Ada", "last_name" to "Lovelace", "phone_number" to "123"))
        assertEquals(Deed.ShowOnMap("Oslo"), deed("show_location_on_map", "location" to "Oslo"))
        assertEquals(Deed.Timer(Duration.ofSeconds(90), null), deed("set_timer", "minutes" to 1, "seconds" to 30L))
        assertEquals(Deed.Volume(40), deed("set_volume", "level" to 40.2))
        val moment = LocalDateTime.of(2026, 3, 5, 10, 0)
        assertEquals(Deed.Event("Dentist", moment, null, null), deed("create_calendar_event", "title" to "Dentist", "datetime" to "2026-03-05T10:00:00"))
    }

    @Test
    fun `days by their names`() {
        val thursday = LocalDate.of(2026, 3, 5)
        assertEquals(thursday.atTime(7, 30), momentOn("today", "07:30", thursday))
        assertEquals(thursday.plusDays(1).atTime(12, 0), momentOn("Tomorrow", null, thursday))
        assertEquals(thursday.plusDays(4).atTime(9, 0), momentOn("monday", "09:00", thursday))
        assertEquals(thursday.plusDays(7).atTime(9, 0), momentOn("thursday", "09:00", thursday))
        assertNull(momentOn("some day", "09:00", thursday))
        assertNull(momentOn("monday", "nine", thursday))
        assertNull(deed("create_calendar_event", "title" to "x", "day" to "monday", "time" to "late"))
    }

    @Test
    fun `what cannot be done is nothing`() {
        assertNull(deed("order_pizza"))
        assertNull(deed("set_timer", "minutes" to 0))
        assertNull(deed("set_timer", "minutes" to 100_000))
        assertNull(deed("set_volume", "percent" to 130))
        assertNull(deed("create_contact"))
        assertNull(deed("show_map", "query" to " "))
    }

    @Test
    fun `what no app on the phone can do says so`() {
        shadowOf(context).checkActivities(true)
        for (deed in listOf(Deed.WifiSettings, Deed.ShowOnMap("Oslo"), Deed.Timer(Duration.ofMinutes(1), null))) {
            assertEquals(Outcome.NO_APP, carryOut(deed, context))
        }
        assertNull(shadowOf(context).nextStartedActivity)
    }

    @Test
    fun `another app is handed what it needs`() {
        assertEquals(Settings.ACTION_WIFI_SETTINGS, started(Deed.WifiSettings).action)
        val contact = started(Deed.Contact("Ada", "1", "a@b.c"))
        assertEquals("1", contact.getStringExtra(ContactsContract.Intents.Insert.PHONE))
        val mail = started(Deed.Email("a@b.c", "Hello", "Body & more"))
        assertEquals("mailto:", mail.dataString)
        assertEquals(listOf("a@b.c"), mail.getStringArrayExtra(Intent.EXTRA_EMAIL)!!.toList())
        assertEquals("Body & more", mail.getStringExtra(Intent.EXTRA_TEXT))
        assertEquals("geo:0,0?q=St.%20Hanshaugen%20%26%20Oslo", started(Deed.ShowOnMap("St. Hanshaugen & Oslo")).dataString)
        assertEquals(300, started(Deed.Timer(Duration.ofMinutes(5), "tea")).getIntExtra(AlarmClock.EXTRA_LENGTH, 0))
    }

    @Test
    fun `an event begins when it was said to, by the phone's clock`() {
        val moment = LocalDateTime.of(2026, 3, 5, 10, 0)
        val event = intentOf(Deed.Event("Dentist", moment, Duration.ofHours(1), "Oslo"))
        val begin = moment.atZone(ZoneId.systemDefault()).toInstant().toEpochMilli()
        assertEquals(begin, event.getLongExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, 0))
        assertEquals(begin + 3_600_000, event.getLongExtra(CalendarContract.EXTRA_EVENT_END_TIME, 0))
        assertTrue(intentOf(Deed.Event("Dentist", null, null, null)).extras!!.keySet().none { it == CalendarContract.EXTRA_EVENT_BEGIN_TIME })
    }

    @Test
    fun `the flashlight is switched where there is one`() {
        assertEquals(Outcome.UNAVAILABLE, carryOut(Deed.Torch(true), context))
        val cameras = context.getSystemService(CameraManager::class.java)
        val back = ShadowCameraCharacteristics.newCameraCharacteristics()
        shadowOf(back).set(CameraCharacteristics.FLASH_INFO_AVAILABLE, true)
        shadowOf(cameras).addCamera("0", back)
        assertEquals(Outcome.DONE, carryOut(Deed.Torch(true), context))
        assertTrue(shadowOf(cameras).getTorchMode("0"))
        assertEquals(Outcome.DONE, carryOut(Deed.Torch(false), context))
        assertTrue(!shadowOf(cameras).getTorchMode("0"))
    }

    @Test
    fun `the volume is that share of the loudest`() {
        val audio = context.getSystemService(Context.AUDIO_SERVICE) as AudioManager
        assertEquals(Outcome.DONE, carryOut(Deed.Volume(100), context))
        assertEquals(audio.getStreamMaxVolume(AudioManager.STREAM_MUSIC), audio.getStreamVolume(AudioManager.STREAM_MUSIC))
        assertEquals(Outcome.DONE, carryOut(Deed.Volume(0), context))
        assertEquals(0, audio.getStreamVolume(AudioManager.STREAM_MUSIC))
    }
}
