import com.android.apksig.ApkSigner;
import com.android.apksig.ApkVerifier;
import com.android.apksig.KeyConfig;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;

/** Google's apksig on the command line: verify APK… | sign IN OUT KEYSTORE PASSWORD ALIAS. */
public class Judge {
    public static void main(String[] words) throws Exception {
        if (words[0].equals("sign")) {
            sign(new File(words[1]), new File(words[2]), words[3], words[4].toCharArray(), words[5]);
            return;
        }
        for (int i = 1; i < words.length; i++) {
            System.out.println(verdict(new File(words[i])));
        }
    }

    static String verdict(File apk) {
        try {
            ApkVerifier.Result result =
                    new ApkVerifier.Builder(apk).setMinCheckedPlatformVersion(26).build().verify();
            if (!result.isVerified()) {
                return "refused";
            }
            return "v2=" + result.isVerifiedUsingV2Scheme() + " v3=" + result.isVerifiedUsingV3Scheme()
                    + " warnings=" + result.getWarnings().size();
        } catch (Exception damaged) {
            return "refused";
        }
    }

    static void sign(File in, File out, String keystore, char[] password, String alias) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream stream = new FileInputStream(keystore)) {
            store.load(stream, password);
        }
        PrivateKey key = (PrivateKey) store.getKey(alias, password);
        List<X509Certificate> chain = List.of((X509Certificate) store.getCertificate(alias));
        new ApkSigner.Builder(
                        List.of(new ApkSigner.SignerConfig.Builder("signer", new KeyConfig.Jca(key), chain).build()))
                .setInputApk(in)
                .setOutputApk(out)
                .setV1SigningEnabled(false)
                .setV2SigningEnabled(true)
                .setV3SigningEnabled(true)
                .setMinSdkVersion(26)
                .setLibraryPageAlignmentBytes(16384)
                .build()
                .sign();
    }
}
