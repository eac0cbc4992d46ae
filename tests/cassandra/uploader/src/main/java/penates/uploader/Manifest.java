package penates.uploader;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The v2 manifest: its outer object is compact, the values in it are pretty-printed.
 *
 * <p>Inside an SSTable Priam lists the components in the order of their objects' identity hashes,
 * which nothing determines: here it is the order of the walk. An index's SSTable stands in one
 * element with the table's SSTable of the same name.
 */
final class Manifest {
    /** A component and where it goes. */
    record Component(LocalFile file, String key, String compression, boolean isUploaded) {}

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    private final StringWriter text = new StringWriter();
    private final JsonWriter json = new JsonWriter(text);

    Manifest(Settings settings) throws IOException {
        JsonArray token = new JsonArray();
        token.add(settings.token());
        JsonObject info = new JsonObject();
        info.addProperty("version", 1);
        info.addProperty("appName", settings.cluster());
        info.addProperty("region", settings.region());
        info.addProperty("rack", settings.rack());
        info.add("backupIdentifier", token);
        json.beginObject().name("info").jsonValue(GSON.toJson(info)).name("data").beginArray();
    }

    void add(String keyspace, String tableDir, List<Component> components) throws IOException {
        Map<String, List<Component>> byPrefix = new LinkedHashMap<>();
        for (Component component : components) {
            byPrefix.computeIfAbsent(component.file().prefix(), k -> new ArrayList<>())
                    .add(component);
        }
        JsonArray sstables = new JsonArray();
        byPrefix.forEach((prefix, of) -> sstables.add(sstable(prefix, of)));
        JsonObject table = new JsonObject();
        table.addProperty("keyspaceName", keyspace);
        table.addProperty("columnfamilyName", tableDir.split("-")[0]);
        table.add("sstables", sstables);
        json.jsonValue(GSON.toJson(table));
    }

    byte[] finish() throws IOException {
        json.endArray().endObject().close();
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static JsonObject sstable(String prefix, List<Component> components) {
        components.sort(Comparator.comparingInt(c -> c.file().order()));
        JsonArray array = new JsonArray();
        for (Component component : components) {
            JsonObject one = new JsonObject();
            one.addProperty("fileName", component.file().name());
            one.addProperty("lastModifiedTime", component.file().modified());
            one.addProperty("fileCreationTime", component.file().created());
            one.addProperty("fileSizeOnDisk", component.file().file().length());
            one.addProperty("compression", component.compression());
            one.addProperty("encryption", "PLAINTEXT");
            one.addProperty("isUploaded", component.isUploaded());
            one.addProperty("backupPath", component.key());
            array.add(one);
        }
        JsonObject sstable = new JsonObject();
        sstable.addProperty("prefix", prefix);
        sstable.add("sstableComponents", array);
        return sstable;
    }
}
