package dev.edgekit.core.tasks

import android.app.ActivityManager
import android.app.Application
import android.app.ApplicationExitInfo
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowActivityManager.ApplicationExitInfoBuilder

/** What is made of what the system says of the app's end. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class LastEndTest {
    private val application = ApplicationProvider.getApplicationContext<Application>()

    private fun ended(reason: Int, status: Int = 0, at: Long = 2000): Boolean? {
        val manager = shadowOf(application.getSystemService(ActivityManager::class.java))
        manager.addApplicationExitInfo(
            ApplicationExitInfoBuilder.newBuilder().setReason(reason).setStatus(status).setTimestamp(at).build(),
        )
        return wasClosed(application, since = 1000)
    }

    @Test
    fun `swiped away, stopped or updated is closed`() {
        assertEquals(true, ended(ApplicationExitInfo.REASON_USER_REQUESTED))
        assertEquals(true, ended(ApplicationExitInfo.REASON_USER_STOPPED))
    }

    @Test
    fun `a crash, a hang, or too little memory is none`() {
        assertEquals(false, ended(ApplicationExitInfo.REASON_CRASH_NATIVE))
        assertEquals(false, ended(ApplicationExitInfo.REASON_ANR))
        assertEquals(false, ended(ApplicationExitInfo.REASON_LOW_MEMORY))
        assertEquals(false, ended(ApplicationExitInfo.REASON_SIGNALED, status = 11))
    }

    @Test
    fun `killed by whomever, an end from before, and none at all say nothing`() {
        assertEquals(null, wasClosed(application, since = 1000))
        assertEquals(null, ended(ApplicationExitInfo.REASON_SIGNALED, status = 9))
        assertEquals(null, ended(ApplicationExitInfo.REASON_CRASH_NATIVE, at = 500))
    }
}
