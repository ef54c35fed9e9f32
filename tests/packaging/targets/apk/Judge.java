import com.android.apksig.ApkSigner;
import com.android.apksig.ApkVerifier;
import com.android.apksig.KeyConfig;
import java.io.File;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;

/** Google's apksig on the command line: verify APK… | sign IN OUT KEYSTORE PASSWORD ALIAS. */
public class Judge {
    static final int OLDEST_ANDROID = 26;

    public static void main(String[] words) throws Exception {
        if (words[0].equals("sign")) {
            sign(new File(words[1]), new File(words[2]), open(words[3], words[4], words[5]));
            return;
        }
        for (int i = 1; i < words.length; i++) {
            System.out.println(verdict(new File(words[i])));
        }
    }

    static String verdict(File apk) {
        ApkVerifier verifier = new ApkVerifier.Builder(apk).setMinCheckedPlatformVersion(OLDEST_ANDROID).build();
        try {
            ApkVerifier.Result found = verifier.verify();
            if (found.isVerified()) {
                return String.format(
                        "v2=%s v3=%s warnings=%d",
                        found.isVerifiedUsingV2Scheme(),
                        found.isVerifiedUsingV3Scheme(),
                        found.getWarnings().size());
            }
        } catch (Exception damaged) {
            // Not even an archive.
        }
        return "refused";
    }

    static KeyStore.PrivateKeyEntry open(String keystore, String password, String alias) throws Exception {
        KeyStore store = KeyStore.getInstance(new File(keystore), password.toCharArray());
        return (KeyStore.PrivateKeyEntry)
                store.getEntry(alias, new KeyStore.PasswordProtection(password.toCharArray()));
    }

    static void sign(File in, File out, KeyStore.PrivateKeyEntry entry) throws Exception {
        KeyConfig key = new KeyConfig.Jca(entry.getPrivateKey());
        List<X509Certificate> certificates = List.of((X509Certificate) entry.getCertificate());
        ApkSigner.SignerConfig signer = new ApkSigner.SignerConfig.Builder("signer", key, certificates).build();
        ApkSigner.Builder signing = new ApkSigner.Builder(List.of(signer));
        signing.setMinSdkVersion(OLDEST_ANDROID).setLibraryPageAlignmentBytes(16384);
        signing.setV1SigningEnabled(false).setV2SigningEnabled(true).setV3SigningEnabled(true);
        signing.setInputApk(in).setOutputApk(out).build().sign();
    }
}
