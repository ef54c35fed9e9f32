package dev.edgekit.delivery

import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlinx.coroutines.flow.last
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue

/**
 * An app's side of a delivery, that fetches into [root].
 *
 * @param patience with the host, which a busy machine may keep from answering for seconds
 */
internal class Client(
    root: File,
    address: String,
    disk: Disk = Disk(root),
    options: DeliveryOptions = DeliveryOptions(),
    network: Network = PlainNetwork(),
    attempts: Int = 3,
    patience: Duration = 5.minutes,
    trial: Trial = Trial { _, _, progress -> progress(1, 1) },
) {
    val store = Store(disk)
    val delivery = Delivery(store, Host(address, network, attempts, 1.milliseconds, patience), Keys(1).signer, options, trial)
    val told = mutableListOf<Progress>()

    fun check(): Update? = runBlocking { delivery.check() }

    fun fetch(update: Update = checkNotNull(check())): File = runBlocking {
        told.clear()
        (delivery.fetch(update).onEach(told::add).last() as Progress.Done).bundle
    }

    fun current(): File? = runBlocking { delivery.current() }
}

/** Throws unless a folder holds these files, and no others. */
internal fun assertHolds(files: Files, folder: File?) {
    val there = filesIn(checkNotNull(folder) { "no bundle" })
    assertEquals(files.keys.sorted(), there.keys.sorted())
    files.forEach { (path, content) -> assertTrue(path, content.contentEquals(there[path])) }
}

internal inline fun <reified T : Throwable> fails(block: () -> Unit): T {
    try {
        block()
    } catch (failure: Throwable) {
        if (failure is T) return failure
        throw AssertionError("failed with $failure", failure)
    }
    throw AssertionError("did not fail")
}
