package dev.edgekit.core

import android.net.Uri
import java.io.File

/** Where a bundle lies. */
public sealed interface BundleSource {
    /**
     * A folder among the app's assets, as `edgekit package` fills it. Its files are copied out once, because the engine maps
     * files and cannot read an asset.
     */
    public data class Assets(public val path: String = "edgekit") : BundleSource

    /**
     * A directory of the app's own with a whole bundle, which is used where it lies: `edgekit.json`, what it names, and
     * `tasks.json` if there is one. Nothing in it may change while the model is open.
     */
    public data class Folder(public val directory: File) : BundleSource

    /**
     * A document that the app's user picked: a zip file with a whole bundle, or a .litertlm file alone. It is copied into the
     * app's storage, in place of the one before; the same one is not copied again, nor needed any more.
     */
    public data class Document(public val uri: Uri) : BundleSource
}


/**
 * How a model is opened.
 *
 * @property backend what shall compute; the GPU is used only where it answers a first prompt as the CPU does
 * @property contextTokens the most tokens that a conversation may hold, prompt and answer together; fewer take less
 *   memory. Null takes the bundle's own number, which is also the most
 * @property threads of the CPU; null leaves the choice to the engine
 * @property signer the public key, in PEM, with which the bundle must be signed. Null asks for the key of the app, its asset
 *   `edgekit-signer.pem`, and for no signature where there is none
 * @property waits for a model that is open to be closed, instead of failing with [EdgekitFailure.Busy]
 * @property afterCrash opens a model that ended the process when it was opened before, instead of failing with
 *   [EngineFailure.Died]
 * @property beyondMemory opens a model for which the device seems to have too little memory, instead of failing with
 *   [EdgekitFailure.NotEnoughMemory]
 * @property retriesGpu tries a GPU again that did not answer as the CPU did
 * @property onProgress is told what takes time, on any thread
 */
public class OpenOptions(
    public val backend: Backend = Backend.CPU,
    public val contextTokens: Int? = null,
    public val threads: Int? = null,
    public val signer: String? = null,
    public val waits: Boolean = false,
    public val afterCrash: Boolean = false,
    public val beyondMemory: Boolean = false,
    public val retriesGpu: Boolean = false,
    public val onProgress: (OpenProgress) -> Unit = {},
)

/** What takes time while a model is opened; sizes in bytes. */
public sealed interface OpenProgress {
    /** A file is copied, of which [done] bytes of [total] are written. */
    public data class Copying(public val done: Long, public val total: Long) : OpenProgress

    /** A file's digest is computed, of which [done] bytes of [total] are read. */
    public data class Checking(public val done: Long, public val total: Long) : OpenProgress

    /** The engine loads the weights. */
    public data object Starting : OpenProgress

    /** The GPU's answer to a first prompt is compared with the CPU's. */
    public data object Comparing : OpenProgress
}
