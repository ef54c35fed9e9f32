package dev.edgekit.delivery

import android.app.Application
import android.content.Context
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowNetworkCapabilities

/** Which networks are used for what. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class DeviceNetworkTest {
    private val context: Context get() = ApplicationProvider.getApplicationContext()
    private val networks = context.getSystemService(ConnectivityManager::class.java)!!

    private fun have(vararg capabilities: Int) {
        val can = ShadowNetworkCapabilities.newInstance()
        capabilities.forEach { shadowOf(can).addCapability(it) }
        shadowOf(networks).setNetworkCapabilities(networks.activeNetwork, can)
    }

    @Test
    fun `Wi-Fi is used for everything`() {
        have(NetworkCapabilities.NET_CAPABILITY_INTERNET, NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
        val device = DeviceNetwork(context, metered = false)
        assertEquals(networks.activeNetwork, device.chosen(large = true))
        assertEquals(networks.activeNetwork, device.chosen(large = false))
    }

    @Test
    fun `a metered network is used for the index, and for all where the app says so`() {
        have(NetworkCapabilities.NET_CAPABILITY_INTERNET)
        val device = DeviceNetwork(context, metered = false)
        assertEquals(networks.activeNetwork, device.chosen(large = false))
        fails<DeliveryFailure.Metered> { device.chosen(large = true) }
        assertEquals(networks.activeNetwork, DeviceNetwork(context, metered = true).chosen(large = true))
    }

    @Test
    fun `without a network, or on one that leads nowhere, nothing is tried`() {
        have()
        fails<DeliveryFailure.Offline> { DeviceNetwork(context, metered = true).chosen(large = false) }
        shadowOf(networks).setDefaultNetworkActive(false)
        shadowOf(networks).setActiveNetworkInfo(null)
        fails<DeliveryFailure.Offline> { DeviceNetwork(context, metered = true).chosen(large = false) }
    }
}
