package tiny;

import android.app.Application;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;

/** Runs the app on the JVM; in Java, because R8 renames what Kotlin would call it by. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, application = Application.class)
public class Harness {
    @Test
    public void runs() {
        System.out.println("SAID " + new App().run(RuntimeEnvironment.getApplication()));
    }
}
