package dev.edgekit.core

/** Why edgekit did not do what it was asked; [message] is for developers, in English. A cancellation is none of these. */
public sealed class EdgekitFailure(message: String, cause: Throwable? = null) : Exception(message, cause) {
    /** The process has one engine, and [holder] has it. Close that model first, or wait for it: [OpenOptions.waits]. */
    public class Busy(public val holder: String) : EdgekitFailure("the model $holder is open, and a process has one engine")

    /**
     * The model needs more memory than the device has to give at this moment, in bytes; nothing was loaded. Other apps can
     * be closed, or the model be opened with a smaller context, as [OpenOptions.contextTokens]. [OpenOptions.beyondMemory]
     * opens it all the same.
     *
     * @property contextTokens the largest context that would fit; null when none does
     */
    public class NotEnoughMemory(public val needed: Long, public val available: Long, public val contextTokens: Int?) :
        EdgekitFailure("the model needs $needed bytes of memory, $available are available")

    /** The answer [text] is not of the form that was asked for: it was cut short, or the cause tells why. */
    public class Unreadable(public val text: String, cause: Throwable) : EdgekitFailure("the answer cannot be read: ${cause.message}", cause)

    /** The model or the session was closed, before or meanwhile. */
    public class Closed(what: String) : EdgekitFailure("$what is closed")
}

/** A bundle that is not opened: it is not there, damaged, of an unknown form, unsigned, or does not fit the storage. */
public sealed class BundleFailure(message: String, cause: Throwable? = null) : EdgekitFailure(message, cause) {
    /** There is no such file where the bundle should be. */
    public class Missing(what: String) : BundleFailure("there is no $what")

    /** Size or digest differ, or a file is cut short. */
    public class Corrupt(what: String, detail: String) : BundleFailure("$what: $detail")

    /** A manifest or a list of tasks that this version cannot read: a newer schema, a missing key. */
    public class Unreadable(what: String, detail: String) : BundleFailure("$what: $detail")

    /** @property needed bytes in all; [free] bytes there are */
    public class NoSpace(public val needed: Long, public val free: Long) : BundleFailure("needs $needed bytes, $free are free")

    /** An adapter that was made for the bundle [madeFor], which is another. */
    public class ForeignAdapter(name: String, public val madeFor: String, detail: String) : BundleFailure("$name: $detail")

    /** Not signed with the key that the app was built to ask for, or changed since. */
    public class Unsigned(detail: String) : BundleFailure(detail)

    /** An adapter of another rank than the model's, or for projections at which the model takes none. */
    public class UnfitAdapter(name: String, detail: String) : BundleFailure("$name: $detail")

    /** An adapter for a model that takes none. */
    public class NoAdapterInputs(name: String, model: String) : BundleFailure("$name: $model takes no adapters")

    /** Reading or writing failed. */
    public class Other(reason: String, cause: Throwable? = null) : BundleFailure(reason, cause)
}

/** An engine that does not start, or does not answer; [message] is the engine's own reason. */
public sealed class EngineFailure(message: String, cause: Throwable? = null) : EdgekitFailure(message, cause) {
    /** The model's file is gone. */
    public class ModelMissing(path: String) : EngineFailure("no such file: $path")

    /** The engine cannot open the model. */
    public class ModelCorrupt(reason: String) : EngineFailure(reason)

    /** The bundle asks for a newer runtime than the app has. */
    public class RuntimeTooOld(public val has: String, public val needs: String) : EngineFailure("needs LiteRT-LM $needs, the app has $has")

    /** There is not enough memory. */
    public class OutOfMemory(reason: String) : EngineFailure(reason)

    /** The engine ended the process when it was started before. [OpenOptions.afterCrash] tries again. */
    public class Died(reason: String) : EngineFailure(reason)

    /** The model does not run on [backend]. */
    public class BackendUnavailable(public val backend: Backend, reason: String) : EngineFailure(reason)

    /** A prompt of [tokens], where [room] are left; nothing was fed. */
    public class PromptTooLong(public val tokens: Int, public val room: Int) :
        EngineFailure("the prompt has $tokens tokens, there is room for $room")

    /** Anything else. */
    public class Other(reason: String, cause: Throwable? = null) : EngineFailure(reason, cause)
}
