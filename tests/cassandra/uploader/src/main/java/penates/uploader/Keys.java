package penates.uploader;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** The keys of both layouts. Times are UTC. */
final class Keys {
    private static final DateTimeFormatter MINUTE =
            DateTimeFormatter.ofPattern("yyyyMMddHHmm").withZone(ZoneOffset.UTC);

    private final Settings settings;

    Keys(Settings settings) {
        this.settings = settings;
    }

    static String minute(long ms) {
        return MINUTE.format(Instant.ofEpochMilli(ms));
    }

    /** type is SNAP, SST; a snapshot's minute is its name, an incremental's its file's own. */
    String v1(String type, String minute, LocalFile file) {
        return v1Folder(minute) + type + "/" + file.keyspace() + "/" + file.tableDir() + "/"
                + file.name();
    }

    String v1Meta(String minute) {
        return v1Folder(minute) + "META/meta.json";
    }

    /** The key holds whole seconds. */
    String v2(LocalFile file, String compression) {
        String type = file.isIndex() ? "SECONDARY_INDEX_V2/" : "SST_V2/";
        String index = file.isIndex() ? file.indexDir() + "/" : "";
        return v2Folder() + type + seconds(file.modified()) + "/" + file.keyspace() + "/"
                + file.tableDir() + "/" + index + compression + "/PLAINTEXT/" + file.name();
    }

    String v2Meta(long instant, String compression) {
        return v2Folder() + "META_V2/" + seconds(instant) + "/" + compression
                + "/PLAINTEXT/meta_v2_" + minute(instant) + ".json";
    }

    private String v1Folder(String minute) {
        return settings.base() + "/" + settings.region() + "/" + settings.cluster() + "/"
                + settings.token() + "/" + minute + "/";
    }

    private String v2Folder() {
        return settings.base() + "/" + settings.cluster().hashCode() % 10000 + "_"
                + settings.cluster() + "/" + settings.token() + "/";
    }

    private static String seconds(long ms) {
        return Long.toString(Math.floorDiv(ms, 1000L) * 1000L);
    }
}
