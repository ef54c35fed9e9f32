package dev.edgekit.delivery

import java.io.IOException

/** Why a delivery went no further. Whatever it is, the bundle that the app had still opens. */
public sealed class DeliveryFailure(message: String, cause: Throwable? = null) : Exception(message, cause) {
    /** The index is not signed with the app's key, or was changed since. */
    public class Unsigned(detail: String) : DeliveryFailure(detail)

    /** The index is signed, and of a form that this version does not read. */
    public class Unreadable(detail: String) : DeliveryFailure(detail)

    /** The index is of something else that the same key signs. */
    public class OtherChannel(public val found: String, public val wanted: String) :
        DeliveryFailure("the host delivers $found, and not $wanted")

    /** The host, or somebody on the way, shows a version older than one that was seen before. */
    public class Older(public val found: Long, public val known: Long) :
        DeliveryFailure("version $found is older than $known, which was seen before")

    /** Two different indexes are signed as the same version. */
    public class SameVersion(public val version: Long) :
        DeliveryFailure("version $version is not what it was when it was seen before")

    /** There is no network. */
    public class Offline : DeliveryFailure("no network")

    /** The network costs by the byte, and nothing but the index is fetched over such a one. */
    public class Metered : DeliveryFailure("the network is metered")

    /** The host cannot be reached, or broke off too often. What came of a file is kept, and gone on with. */
    public class Unreachable(detail: String, cause: Throwable? = null) : DeliveryFailure(detail, cause)

    /** The host answers with a [status] of HTTP that brings no file. */
    public class NotServed(what: String, public val status: Int) : DeliveryFailure("$what: the host answers $status")

    /** The host sends the client elsewhere without end, or to an address without TLS. */
    public class Redirected(detail: String) : DeliveryFailure(detail)

    /** The host sends more, or announces another length, than was signed. */
    public class WrongLength(what: String, public val expected: Long, detail: String) :
        DeliveryFailure("$what: $detail instead of $expected bytes")

    /** What the host sent is not what was signed. */
    public class WrongDigest(what: String, found: String) : DeliveryFailure("$what: its SHA-256 is $found")

    /** Bytes that are [needed], and those that are [free]. */
    public class NoSpace(public val needed: Long, public val free: Long) :
        DeliveryFailure("needs $needed bytes, $free are free")

    /** The device's storage refused. */
    public class NotWritten(cause: IOException) : DeliveryFailure("cannot write: ${cause.message}", cause)

    /** Another delivery is under way in this folder. */
    public class Busy : DeliveryFailure("another delivery is under way")

    /** The new bundle does not open: the old one stays. */
    public class DoesNotOpen(cause: Throwable) : DeliveryFailure("the new bundle does not open: ${cause.message}", cause)

    /** The process ended while the new bundle was tried, each time: the old one stays. */
    public class EndedProcess(public val version: Long) :
        DeliveryFailure("the process ended each time that version $version was tried")

    /** The version was tried before, or went back from. */
    public class FoundWanting(public val version: Long) : DeliveryFailure("version $version was found wanting before")

    /** The new bundle cannot be tried at the moment: the engine is in use, or memory is short. Fetching again tries it. */
    public class NotNow(cause: Throwable) : DeliveryFailure("the new bundle cannot be tried now: ${cause.message}", cause)

    /** The bundle is of a form, or for an engine, newer than the app's. After an update of the app it is tried again. */
    public class NeedsNewerApp(cause: Throwable) : DeliveryFailure("the new bundle needs a newer app: ${cause.message}", cause)

    /** Of [asked] golden answers only [same] came: the old bundle stays. */
    public class Differs(public val same: Int, public val asked: Int) :
        DeliveryFailure("$same of $asked golden answers are as they should be")

    /** There is no bundle to go back to. */
    public class NothingBefore : DeliveryFailure("there is no earlier bundle")
}

/** Runs what reads and writes the device's storage. */
internal inline fun <T> storing(disk: Disk, block: () -> T): T = try {
    block()
} catch (error: IOException) {
    val reason = error.message.orEmpty()
    val isFull = "ENOSPC" in reason || "EDQUOT" in reason || "No space left" in reason
    throw if (isFull) DeliveryFailure.NoSpace(0, disk.free()) else DeliveryFailure.NotWritten(error)
}
