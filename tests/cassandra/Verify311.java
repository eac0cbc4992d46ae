import java.util.Arrays;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/**
 * "nodetool verify -e" for Cassandra 3.11, whose own nodetool does not run on Java 17 and whose
 * operation later ones no longer call. Arguments: JMX port, keyspace, tables. Exits with what the
 * operation returns: 0 when every SSTable is sound.
 */
public class Verify311 {
    public static void main(String[] args) throws Exception {
        String url = "service:jmx:rmi:///jndi/rmi://127.0.0.1:" + args[0] + "/jmxrmi";
        String[] tables = Arrays.copyOfRange(args, 2, args.length);
        try (var connector = JMXConnectorFactory.connect(new JMXServiceURL(url))) {
            MBeanServerConnection node = connector.getMBeanServerConnection();
            System.exit((Integer) node.invoke(
                new ObjectName("org.apache.cassandra.db:type=StorageService"), "verify",
                new Object[] {true, args[1], tables},
                new String[] {"boolean", String.class.getName(), String[].class.getName()}));
        }
    }
}
