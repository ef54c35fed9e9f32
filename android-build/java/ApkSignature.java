import com.android.apksig.ApkVerifier;
import java.io.File;

/**
 * Verifies an APK's signatures as the platform does, from API 26 on: {@code java ApkSignature.java APK}.
 *
 * <p>Prints whether it holds and by which schemes, then each error and warning; exits with 1 when it does not hold.
 */
public final class ApkSignature {
  private static final int MINIMUM = 26;

  private ApkSignature() {}

  public static void main(String[] arguments) throws Exception {
    File apk = new File(arguments[0]);
    ApkVerifier.Result result =
        new ApkVerifier.Builder(apk).setMinCheckedPlatformVersion(MINIMUM).build().verify();
    System.out.printf("verified %b%n", result.isVerified());
    System.out.printf("v2 %b%n", result.isVerifiedUsingV2Scheme());
    System.out.printf("v3 %b%n", result.isVerifiedUsingV3Scheme());
    result.getAllErrors().forEach(error -> System.out.println("error " + error));
    result.getWarnings().forEach(warning -> System.out.println("warning " + warning));
    System.exit(result.isVerified() ? 0 : 1);
  }
}
