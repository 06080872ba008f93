// The CDK apps whose synthesised output is in corpus/cdk. Usage: node apps.js NAME FOLDER
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
const elb = require('aws-cdk-lib/aws-elasticloadbalancingv2');
const iam = require('aws-cdk-lib/aws-iam');

const { SubnetType, InterfaceVpcEndpointAwsService: Service } = ec2;
const isolated = { name: 'isolated', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 };
const env = { account: '123456789012', region: 'eu-west-1' };

const apps = {
  'vpc-default': (app) => {
    new ec2.Vpc(new cdk.Stack(app, 'Network'), 'Vpc', { natGateways: 1 });
  },
  'isolated-endpoints': (app) => {
    const stack = new cdk.Stack(app, 'Network');
    const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 2, subnetConfiguration: [isolated] });
    vpc.addGatewayEndpoint('S3', { service: ec2.GatewayVpcEndpointAwsService.S3 });
    vpc.addGatewayEndpoint('DynamoDb', { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB });
    for (const name of ['ECR', 'ECR_DOCKER', 'CLOUDWATCH_LOGS', 'SSM']) {
      vpc.addInterfaceEndpoint(name, { service: Service[name] });
    }
  },
  'endpoint-policies': (app) => {
    const stack = new cdk.Stack(app, 'Network', { env });
    const vpc = new ec2.Vpc(stack, 'Vpc', {
      availabilityZones: ['eu-west-1a', 'eu-west-1b'],
      subnetConfiguration: [isolated],
    });
    const s3 = vpc.addGatewayEndpoint('S3', { service: ec2.GatewayVpcEndpointAwsService.S3 });
    s3.addToPolicy(new iam.PolicyStatement({
      principals: [new iam.AnyPrincipal()],
      actions: ['s3:GetObject'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:PrincipalAccount': stack.account } },
    }));
    const kms = vpc.addInterfaceEndpoint('Kms', { service: Service.KMS });
    kms.addToPolicy(new iam.PolicyStatement({
      principals: [new iam.AccountPrincipal('444455556666')],
      actions: ['kms:Decrypt'],
      resources: ['*'],
    }));
  },
  // All three kinds of subnet, but the S3 endpoint serves the isolated ones only.
  'missing-gateway-route': (app) => buildThreeTiers(app, [{ subnetType: SubnetType.PRIVATE_ISOLATED }]),
  'gateway-routes': (app) => buildThreeTiers(app),
  'endpoint-service': (app) => {
    const stack = new cdk.Stack(app, 'Service');
    const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 2, subnetConfiguration: [isolated] });
    const balancer = new elb.NetworkLoadBalancer(stack, 'Balancer', { vpc });
    new ec2.VpcEndpointService(stack, 'EndpointService', {
      vpcEndpointServiceLoadBalancers: [balancer],
      acceptanceRequired: true,
      allowedPrincipals: [new iam.ArnPrincipal('arn:aws:iam::444455556666:root')],
    });
  },
  // One stack exports its VPC, another puts endpoints into it, a third one is a spoke of a hub.
  'hub-and-spoke': (app) => {
    const network = new cdk.Stack(app, 'Network');
    const hub = new ec2.Vpc(network, 'Hub', {
      maxAzs: 2, ipAddresses: ec2.IpAddresses.cidr('10.1.0.0/16'), subnetConfiguration: [isolated],
    });
    const gateway = new ec2.CfnTransitGateway(network, 'Transit', { description: 'hub' });
    const attach = (stack, vpc, id) => new ec2.CfnTransitGatewayAttachment(stack, id, {
      transitGatewayId: gateway.ref, vpcId: vpc.vpcId,
      subnetIds: vpc.isolatedSubnets.map((each) => each.subnetId),
    });
    attach(network, hub, 'HubAttachment');
    const endpoints = new cdk.Stack(app, 'Endpoints');
    new ec2.InterfaceVpcEndpoint(endpoints, 'Sqs', { vpc: hub, service: Service.SQS, open: true });
    const workload = new cdk.Stack(app, 'Workload');
    const spoke = new ec2.Vpc(workload, 'Spoke', {
      maxAzs: 2, ipAddresses: ec2.IpAddresses.cidr('10.2.0.0/16'), subnetConfiguration: [isolated],
    });
    const attachment = attach(workload, spoke, 'SpokeAttachment');
    spoke.isolatedSubnets.forEach((subnet, index) => {
      new ec2.CfnRoute(workload, `ToHub${index}`, {
        routeTableId: subnet.routeTable.routeTableId,
        destinationCidrBlock: '0.0.0.0/0',
        transitGatewayId: gateway.ref,
      }).addDependency(attachment);
    });
  },
  'nested-stacks': (app) => {
    const root = new cdk.Stack(app, 'Root');
    const network = new cdk.NestedStack(root, 'Network');
    const vpc = new ec2.Vpc(network, 'Vpc', { maxAzs: 2, subnetConfiguration: [isolated] });
    const endpoints = new cdk.NestedStack(root, 'Endpoints');
    new ec2.InterfaceVpcEndpoint(endpoints, 'Secrets', { vpc, service: Service.SECRETS_MANAGER });
    new ec2.GatewayVpcEndpoint(endpoints, 'S3', { vpc, service: ec2.GatewayVpcEndpointAwsService.S3 });
  },
  'restricted-default-group': (app) => {
    const stack = new cdk.Stack(app, 'Network');
    const vpc = new ec2.Vpc(stack, 'Vpc', {
      maxAzs: 1, subnetConfiguration: [isolated], restrictDefaultSecurityGroup: true,
    });
    vpc.addInterfaceEndpoint('Sts', { service: Service.STS, privateDnsEnabled: false });
  },
};

function buildThreeTiers(app, subnets) {
  const stack = new cdk.Stack(app, 'Network');
  const vpc = new ec2.Vpc(stack, 'Vpc', {
    maxAzs: 2,
    natGateways: 1,
    subnetConfiguration: [
      { name: 'public', subnetType: SubnetType.PUBLIC },
      { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      isolated,
    ],
  });
  const policy = new iam.PolicyStatement({
    principals: [new iam.AnyPrincipal()],
    actions: ['*'],
    resources: ['*'],
    conditions: {
      StringEquals: {
        'aws:PrincipalAccount': stack.account,
        'aws:ResourceAccount': stack.account,
      },
    },
  });
  for (const name of ['S3', 'DYNAMODB']) {
    const service = ec2.GatewayVpcEndpointAwsService[name];
    const endpoint = vpc.addGatewayEndpoint(name, { service, ...(name === 'S3' && { subnets }) });
    endpoint.addToPolicy(policy);
  }
}

const [, , name, outdir] = process.argv;
const app = new cdk.App({
  outdir,
  analyticsReporting: false,
  context: { 'aws:cdk:enable-path-metadata': false },
});
apps[name](app);
app.synth();
