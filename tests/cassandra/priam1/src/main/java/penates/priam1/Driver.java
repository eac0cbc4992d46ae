package penates.priam1;

import com.amazonaws.auth.AWSCredentials;
import com.amazonaws.auth.AWSCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.internal.StaticCredentialsProvider;
import com.google.inject.Provider;
import com.netflix.priam.ICassandraProcess;
import com.netflix.priam.IConfiguration;
import com.netflix.priam.ICredential;
import com.netflix.priam.aws.S3BackupPath;
import com.netflix.priam.aws.S3FileSystem;
import com.netflix.priam.backup.AbstractBackupPath;
import com.netflix.priam.backup.IBackupFileSystem;
import com.netflix.priam.backup.IncrementalBackup;
import com.netflix.priam.backup.MetaData;
import com.netflix.priam.backup.Restore;
import com.netflix.priam.backup.SnapshotBackup;
import com.netflix.priam.compress.SnappyCompression;
import com.netflix.priam.identity.IMembership;
import com.netflix.priam.identity.IPriamInstanceFactory;
import com.netflix.priam.identity.InstanceIdentity;
import com.netflix.priam.identity.PriamInstance;
import com.netflix.priam.utils.CassandraMonitor;
import com.netflix.priam.utils.ThreadSleeper;
import com.netflix.priam.utils.TokenManager;
import java.lang.reflect.Field;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;

/**
 * Priam 1.1.56's own SnapshotBackup, IncrementalBackup and Restore, on its own S3FileSystem.
 *
 * <pre>
 * Driver snapshot | incremental | restore yyyyMMddHHmm,yyyyMMddHHmm
 * </pre>
 *
 * What it would ask EC2, SimpleDB and Priam.properties for comes from the environment: DATA, JMX
 * (port), ENDPOINT, BUCKET, ACCESS_KEY, SECRET_KEY, CLUSTER, TOKEN. Cassandra is neither stopped
 * nor started.
 */
public final class Driver {
    private static final String REGION = "us-east-1";
    private static final String INSTANCE = "i-0";

    private Driver() {}

    public static void main(String[] args) throws Exception {
        String dates = args[0].equals("restore") ? args[1] : "";
        IConfiguration config = configuration(dates);
        InstanceIdentity identity = new InstanceIdentity(
                instances(), answers(IMembership.class, Map.of()), config, new ThreadSleeper(),
                new TokenManager());
        Provider<AbstractBackupPath> paths = () -> new S3BackupPath(config, identity);
        IBackupFileSystem files =
                new S3FileSystem(paths, new SnappyCompression(), config, new Keys());
        MetaData metaData = new MetaData(paths, files);
        CassandraMonitor.setIsCassadraStarted();
        switch (args[0]) {
            case "snapshot" -> new SnapshotBackup(config, files, paths, metaData).execute();
            case "incremental" -> new IncrementalBackup(config, files, paths).execute();
            case "restore" -> {
                Restore restore = new Restore(config, files, new ThreadSleeper(),
                        answers(ICassandraProcess.class, Map.of()));
                // Fields that Guice would fill.
                set(restore, "pathProvider", paths);
                set(restore, "metaData", metaData);
                set(restore, "id", identity);
                restore.execute();
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
        files.shutdown();
        System.exit(0); // Priam's pools have threads that would stay.
    }

    private static IConfiguration configuration(String dates) {
        return answers(IConfiguration.class, Map.ofEntries(
                Map.entry("getAppName", env("CLUSTER")),
                Map.entry("getDataFileLocation", env("DATA")),
                Map.entry("getJmxPort", Integer.parseInt(System.getenv().getOrDefault("JMX", "0"))),
                Map.entry("getBackupLocation", "backup"),
                Map.entry("getBackupPrefix", env("BUCKET")),
                Map.entry("getRestorePrefix", ""),
                Map.entry("getRestoreKeySpaces", List.of()),
                Map.entry("getRestoreSnapshot", dates),
                Map.entry("getBackupRacs", List.of()),
                Map.entry("getBackupChunkSize", 5L << 20), // S3's least for a part.
                Map.entry("getMaxBackupUploadThreads", 2),
                Map.entry("getMaxBackupDownloadThreads", 16),
                Map.entry("getS3EndPoint", env("ENDPOINT")),
                Map.entry("getDC", REGION),
                Map.entry("getRac", REGION + "a"),
                Map.entry("getInstanceName", INSTANCE),
                Map.entry("isIncrBackup", true)));
    }

    private static IPriamInstanceFactory instances() {
        PriamInstance own = new PriamInstance();
        own.setApp(env("CLUSTER"));
        own.setInstanceId(INSTANCE);
        own.setRac(REGION + "a");
        own.setDC(REGION);
        own.setToken(env("TOKEN"));
        own.setHost("localhost", "127.0.0.1");
        return answers(IPriamInstanceFactory.class, Map.of("getAllIds", List.of(own)));
    }

    /** An object whose methods give these answers; of others only the void ones may be called. */
    private static <T> T answers(Class<T> of, Map<String, Object> answers) {
        return of.cast(Proxy.newProxyInstance(
                of.getClassLoader(), new Class<?>[] {of}, (proxy, method, args) -> {
                    if (answers.containsKey(method.getName())) {
                        return answers.get(method.getName());
                    }
                    Class<?> type = method.getReturnType();
                    if (type == int.class) {
                        return 0;
                    }
                    if (type == boolean.class) {
                        return false;
                    }
                    if (type != void.class) {
                        throw new UnsupportedOperationException(method.toString());
                    }
                    return null;
                }));
    }

    private static void set(Object object, String name, Object value) throws Exception {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        field.set(object, value);
    }

    private static String env(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is not set");
        }
        return value;
    }

    private static final class Keys implements ICredential {
        @Override
        public String getAccessKeyId() {
            return env("ACCESS_KEY");
        }

        @Override
        public String getSecretAccessKey() {
            return env("SECRET_KEY");
        }

        @Override
        public AWSCredentials getCredentials() {
            return new BasicAWSCredentials(getAccessKeyId(), getSecretAccessKey());
        }

        @Override
        public AWSCredentialsProvider getAwsCredentialProvider() {
            return new StaticCredentialsProvider(getCredentials());
        }
    }
}
