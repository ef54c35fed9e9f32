package dev.edgekit.delivery

import android.content.Context
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import java.net.HttpURLConnection
import java.net.URL

/** The device's network. A connection stays with the network that it began on, so that it never goes on over another. */
internal class DeviceNetwork(context: Context, private val metered: Boolean) : Network {
    private val networks = checkNotNull(context.getSystemService(ConnectivityManager::class.java))

    override fun connect(url: URL, large: Boolean): HttpURLConnection = chosen(large).openConnection(url) as HttpURLConnection

    /** The network that is in use. */
    fun chosen(large: Boolean): android.net.Network {
        val network = networks.activeNetwork ?: throw DeliveryFailure.Offline()
        val can = networks.getNetworkCapabilities(network) ?: throw DeliveryFailure.Offline()
        if (!can.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET)) throw DeliveryFailure.Offline()
        val isFree = can.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
        if (large && !metered && !isFree) throw DeliveryFailure.Metered()
        return network
    }
}
